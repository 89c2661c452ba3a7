/** Routes about configurations: checked, read from YAML, written as YAML, cloned; and the trainers that they are for. */
import { ConfigError } from '../client/errors.ts';
import type { TrainerList } from '../contracts/host-messages.ts';
import type { Answer } from '../contracts/http-api.ts';
import { AnswerCache } from './answer-cache.ts';
import { RefusedError } from './refusals.ts';
import type { Handle } from './routes.ts';
import type { TemporalLink } from './temporal-link.ts';
import { readConfig, writeConfig } from './written-config.ts';

export function configRoutes(handle: Handle, link: TemporalLink, defaultPool: string): void {
  const trainers = new AnswerCache<TrainerList>(10_000);

  handle('check', async ({ body }): Promise<Answer<'check'>> => {
    const { training } = await link.backend();
    try {
      return await training.check(body.config);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const problems =
        error.problems.length > 0 ? [...error.problems] : [{ field: '', value: 'refused', message: error.message }];
      return { ok: false, problems, ...(error.dataReport ? { dataReport: error.dataReport } : {}) };
    }
  });
  handle('readConfig', ({ body }) => readConfig(body.yaml));
  handle('writeConfig', ({ body }) => writeConfig(body.config));

  handle('clone', async ({ params, query }) => {
    const { training } = await link.backend();
    const { config, outputFolder, checkpoints } = await training.view(params.run);
    const { run: _, continueFrom, ...rest } = config;
    const { checkpoint } = query;
    if (checkpoint === undefined) return writeConfig(asJson({ ...rest, ...(continueFrom ? { continueFrom } : {}) }));
    if (outputFolder === null) throw new RefusedError('wrongState', `run ${params.run} has no checkpoint yet`);
    const entry = checkpoints.find(({ name, reasons }) =>
      checkpoint === 'best' || checkpoint === 'last' ? reasons.includes(checkpoint) : name === checkpoint,
    );
    if (!entry && checkpoint !== 'best' && checkpoint !== 'last') {
      const names = checkpoints.map(({ name }) => name).join(', ');
      const message = `must be best, last or one that the run keeps: ${names || 'there is none'}`;
      throw new ConfigError([{ field: 'checkpoint', value: JSON.stringify(checkpoint), message }]);
    }
    const keepProgress = query.keepProgress === 'true';
    // A run that keeps its progress has to train more epochs than it has: as many again, unless some were left.
    const trained = keepProgress && entry ? entry.epoch : 0;
    const epochs = rest.epochs !== undefined && rest.epochs <= trained ? trained + rest.epochs : rest.epochs;
    return writeConfig(asJson({ ...rest, epochs, continueFrom: { outputFolder, checkpoint, keepProgress } }));
  });

  handle('trainers', async ({ query: { pool = defaultPool } }) => {
    const { training } = await link.backend();
    return trainers.get(pool, () => training.trainers(pool));
  });
}

/** Without the fields that are undefined. */
const asJson = (config: object): Parameters<typeof writeConfig>[0] => JSON.parse(JSON.stringify(config));

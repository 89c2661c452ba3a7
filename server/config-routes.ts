/** Routes about configurations: checked, read from YAML, written as YAML, cloned; and the trainers that they are for. */
import { ConfigError } from '../client/errors.ts';
import { fromCheckpoint, sameAgain } from '../client/next-config.ts';
import type { TrainerList } from '../contracts/host-messages.ts';
import type { Answer } from '../contracts/http-api.ts';
import { AnswerCache } from './answer-cache.ts';
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
    const view = await training.view(params.run);
    const { checkpoint } = query;
    const config =
      checkpoint === undefined
        ? sameAgain(view)
        : fromCheckpoint(view, { checkpoint, keepProgress: query.keepProgress === 'true' });
    return writeConfig(asJson(config));
  });

  handle('trainers', async ({ query: { pool = defaultPool } }) => {
    const { training } = await link.backend();
    return trainers.get(pool, () => training.trainers(pool));
  });
}

/** Without the fields that are undefined. */
const asJson = (config: object): Parameters<typeof writeConfig>[0] => JSON.parse(JSON.stringify(config));

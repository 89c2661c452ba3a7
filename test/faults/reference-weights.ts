/** The weights of the counting trainer in an uninterrupted run, at every batch: what any other run is compared with. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { checkpointManifestSchema, type Position } from '../../contracts/checkpoint.ts';
import type { SessionFile } from '../../contracts/protocol.ts';
import type { RunConfigInput } from '../../contracts/run-config.ts';
import { TrainerCatalog, trainerEnvironment } from '../../worker/trainer-catalog.ts';
import { TrainerChannel } from '../../worker/trainer-channel.ts';

const trainers = fileURLToPath(new URL('../trainers', import.meta.url));
export const weightsSchema = z.object({ count: z.int(), link: z.string() });
export type Weights = z.infer<typeof weightsSchema>;
/** What a trainer that was told to end before its first batch saves. */
const untrained: Weights = { count: 0, link: '0'.repeat(64) };

const known = new Map<string, Promise<ReadonlyMap<string, Weights>>>();

/** The chain at `position` of a run with this configuration; null where such a run has no such position. */
export async function referenceWeights(config: RunConfigInput, { epoch, batch }: Position): Promise<Weights | null> {
  const { batches = 5, validation_batches = 2 } = config.parameters ?? {};
  const shape = { seed: config.seed ?? 0, epochs: config.epochs, parameters: { batches, validation_batches } };
  const key = JSON.stringify(shape);
  const found = known.get(key) ?? train(shape);
  known.set(key, found);
  return (await found).get(`${epoch}:${batch}`) ?? null;
}

type Shape = Pick<SessionFile, 'seed' | 'epochs' | 'parameters'>;

/** One trainer process that nobody disturbs, with a checkpoint after every batch. */
async function train({ seed, epochs, parameters }: Shape): Promise<ReadonlyMap<string, Weights>> {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-reference-'));
  try {
    const catalog = new TrainerCatalog([trainers]);
    const program = await catalog.find('counter');
    if (!program) throw new Error('there is no counting trainer');
    const socket = join(folder, 'socket');
    const session: SessionFile = {
      ...{ protocol: 1, run: 'reference', session: 'reference', runFolder: folder },
      ...{ epochs, parameters, data: null, seed, everyBatches: 1 },
      ...{ endsAfter: null, resumeFrom: null, keepProgress: true, batchDivisor: 1 },
      ...{ socket, reattachSeconds: 60 },
    };
    await writeFile(join(folder, 'session.json'), JSON.stringify(session));
    await mkdir(join(folder, 'artifacts'));
    const python = await catalog.environment(program, {});
    const child = spawn(python, [program.file, 'train'], {
      cwd: join(folder, 'artifacts'),
      env: { ...trainerEnvironment(python), EPOCHAL_SESSION: join(folder, 'session.json') },
      stdio: 'ignore',
    });
    const channel = new TrainerChannel(socket, {
      onConnected: () => channel.send({ type: 'grant', through: epochs }),
      onEvent: () => undefined,
      onProtocolError: () => undefined,
    });
    const [code] = await once(child, 'exit');
    channel.finish();
    if (code !== 0) throw new Error(`the reference run ended with ${code}`);
    return await readWeights(join(folder, 'checkpoints'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readWeights(folder: string): Promise<ReadonlyMap<string, Weights>> {
  const weights = new Map([['0:0', untrained]]);
  for (const name of await readdir(folder)) {
    const read = async (file: string): Promise<unknown> => JSON.parse(await readFile(join(folder, name, file), 'utf8'));
    const { epoch, batch } = checkpointManifestSchema.parse(await read('checkpoint.json'));
    weights.set(`${epoch}:${batch}`, weightsSchema.parse(await read('weights.json')));
  }
  return weights;
}

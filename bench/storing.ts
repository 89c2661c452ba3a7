/**
 * What storing checkpoints in the background costs the training: the time that its epochs train and validate under the
 * service ÷ that of the very same trainer process with the same checkpoints on the same disk, which nobody stores. In
 * pairs. How long the trainer itself takes to write a checkpoint is the same on both sides, and left out: disks vary in
 * that by far more than what is measured here.
 *
 * The trainer computes in one thread, as one that keeps a GPU busy does; the rest of the machine is there for the host's own
 * work. While the second epoch trains, the first one's checkpoint of more than 500 MB is stored. The network of digits
 * is limited by the memory's bandwidth, which storing shares: of all trainings it feels storing most.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Command, SessionFile } from '../contracts/protocol.ts';
import type { RunConfigInput } from '../contracts/run-config.ts';
import { TrainerCatalog, trainerEnvironment } from '../worker/trainer-catalog.ts';
import { keepsMemory } from './allocator.ts';
import { BenchHost } from './bench-host.ts';
import { trainingSecondsPerEpoch } from './epoch-times.ts';
import type { BenchResult } from './result.ts';
import { median, rounded } from './statistics.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const pairs = 10;
const least = 500_000_000;

type Training = Pick<RunConfigInput, 'trainer' | 'epochs' | 'parameters'>;
const trainings: { about: string; training: Training }[] = [
  {
    about: 'computes all the time, in one thread (digits)',
    training: {
      trainer: 'digits',
      epochs: 2,
      parameters: { hidden_layers: [4096, 4096, 1024], batch_size: 32 },
    },
  },
  {
    about: 'waits for a device in every batch (counter)',
    training: {
      trainer: 'counter',
      epochs: 2,
      parameters: { batches: 300, batch_seconds: 0.02, checkpoint_bytes: 520_000_000 },
    },
  },
];

export async function storing(): Promise<BenchResult> {
  const host = await BenchHost.start(1, keepsMemory);
  try {
    const rows: BenchResult['rows'] = [];
    for (const { about, training } of trainings) {
      const ratios: number[] = [];
      const alone: number[] = [];
      for (let pair = 0; pair < pairs; pair++) {
        // The order alternates, so that a machine that gets slower or faster favours neither.
        const measured: Record<string, number> = {};
        for (const way of pair % 2 === 0 ? ['alone', 'stored'] : ['stored', 'alone']) {
          measured[way] = way === 'alone' ? await trainAlone(training) : await trainStored(host, training);
        }
        const { stored = 0, alone: plain = 0 } = measured;
        ratios.push(stored / plain);
        alone.push(plain);
        process.stderr.write(`  ${about}, pair ${pair + 1}: ${stored.toFixed(3)} s ÷ ${plain.toFixed(3)} s\n`);
      }
      rows.push([
        about,
        pairs,
        rounded(median(alone), 2),
        rounded(Math.min(...ratios), 4),
        rounded(median(ratios), 4),
        rounded(Math.max(...ratios), 4),
      ]);
    }
    return {
      title: 'Training while checkpoints are stored ÷ training with nobody storing them',
      about: 'Checkpoints of more than 500 MB, one an epoch, in pairs. Target: a median of at most 1.01.',
      columns: [
        'the trainer',
        'pairs',
        'training of an epoch, nothing stored (s)',
        'ratio min',
        'ratio median',
        'ratio max',
      ],
      rows,
    };
  } finally {
    await host.stop();
  }
}

async function trainStored(host: BenchHost, training: Training): Promise<number> {
  const run = await host.train(training);
  const receipt = await run.result();
  const bytes = receipt.checkpoints[0]?.files.reduce((sum, { size }) => sum + size, 0) ?? 0;
  if (bytes < least) throw new Error(`a checkpoint has only ${bytes} bytes`);
  const seconds = await trainingSecondsPerEpoch(join(receipt.outputFolder ?? '', 'metrics.jsonl'));
  await rm(receipt.outputFolder ?? '', { recursive: true, force: true });
  return seconds;
}

/** The trainer as a worker starts it, granted all of its epochs, with nobody beside it. */
async function trainAlone({ trainer, epochs, parameters = {} }: Training): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-alone-'));
  try {
    const catalog = new TrainerCatalog([join(root, 'test', 'trainers'), join(root, 'trainers')]);
    const program = await catalog.find(trainer);
    if (!program) throw new Error(`there is no trainer ${trainer}`);
    const session: SessionFile = {
      ...{ protocol: 1, run: 'alone', session: 'alone', runFolder: folder },
      ...{ epochs, parameters, data: null, seed: 0, everyBatches: 0 },
      ...{ resumeFrom: null, keepProgress: true, batchDivisor: 1 },
    };
    await writeFile(join(folder, 'session.json'), JSON.stringify(session));
    await mkdir(join(folder, 'artifacts'));
    const child: ChildProcess = spawn(await catalog.environment(program, {}), [program.file, 'train'], {
      env: { ...trainerEnvironment(), ...keepsMemory, EPOCHAL_SESSION: join(folder, 'session.json') },
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    child.stdio[4]?.on('data', () => undefined);
    const grant: Command = { type: 'grant', through: epochs };
    (child.stdio[3] as Writable).write(`${JSON.stringify(grant)}\n`);
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`the trainer ended with ${code}`);
    return await trainingSecondsPerEpoch(join(folder, 'metrics.jsonl'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

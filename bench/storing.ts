/**
 * What storing checkpoints in the background costs the training: the time that an epoch trains and validates while the
 * checkpoint of the epoch before is stored ÷ the same while the store is unavailable, in pairs. How long the trainer takes to write
 * a checkpoint's files is left out of both: disks vary in that by far more than what is measured here. That it hashes and
 * flushes them while the next epoch trains is in both.
 *
 * The trainer computes in one thread, as one that keeps a GPU busy does; the rest of the machine is there for the host's own
 * work. The network of digits is limited by the memory's bandwidth, which storing shares: of all trainings it feels storing
 * most.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunConfigInput } from '../contracts/run-config.ts';
import { type RunView, runQuery } from '../contracts/run-messages.ts';
import { readText } from '../stores/artifact-store.ts';
import { openFolder } from '../stores/open-store.ts';
import { testBucket } from '../test/stores/servers/s3-server.ts';
import { takeAway } from '../test/support/store-away.ts';
import { keepsMemory } from './allocator.ts';
import { BenchHost } from './bench-host.ts';
import { trainingSecondsPerEpoch } from './epoch-times.ts';
import type { BenchResult } from './result.ts';
import { median, medianInterval, rounded } from './statistics.ts';
import { s3Environment, s3Server } from './uploads.ts';

const pairs = Number(process.env.EPOCHAL_BENCH_STORING_PAIRS ?? 10);
/** `digits` or `counter`; left out: both. */
const only = process.env.EPOCHAL_BENCH_STORING_TRAINER;
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

/** Where checkpoints go. `takeAway` resolves to what brings it back. */
interface Place {
  name: string;
  takeAway: () => Promise<() => Promise<void>>;
}

/** On a folder of this machine. */
export async function storing(): Promise<BenchResult> {
  const host = await BenchHost.start(1, keepsMemory);
  try {
    return await measured(host, { name: 'a folder', takeAway: () => takeAway(host.store) });
  } finally {
    await host.stop();
  }
}

/** On S3, whose server, on this machine as well, takes its part of it: it hashes and writes all that arrives. */
export async function storingS3(): Promise<BenchResult> {
  const { server, stop } = await s3Server();
  try {
    const environment = s3Environment(server);
    Object.assign(process.env, environment);
    const store = `s3://${testBucket}/bench`;
    const host = await BenchHost.start(1, { ...keepsMemory, ...environment, EPOCHAL_STORE: store });
    const standStill = async () => {
      process.kill(server.pid, 'SIGSTOP');
      return async () => void process.kill(server.pid, 'SIGCONT');
    };
    try {
      return await measured(host, { name: 'S3', takeAway: standStill });
    } finally {
      await host.stop();
    }
  } finally {
    process.kill(server.pid, 'SIGCONT');
    await stop();
  }
}

async function measured(host: BenchHost, place: Place): Promise<BenchResult> {
  const rows: BenchResult['rows'] = [];
  for (const { about, training } of trainings) {
    if (only && training.trainer !== only) continue;
    const ratios: number[] = [];
    const away: number[] = [];
    for (let pair = 0; pair < pairs; pair++) {
      // The order alternates, so that a machine that gets slower or faster favours neither.
      const measured: Record<string, number> = {};
      for (const way of pair % 2 === 0 ? ['away', 'stored'] : ['stored', 'away']) {
        measured[way] = await trained(host, training, way === 'away' ? place : null);
      }
      const { stored = 0, away: plain = 0 } = measured;
      ratios.push(stored / plain);
      away.push(plain);
      process.stderr.write(`  ${about}, pair ${pair + 1}: ${stored.toFixed(3)} s ÷ ${plain.toFixed(3)} s\n`);
    }
    rows.push([
      about,
      pairs,
      rounded(median(away), 2),
      rounded(Math.min(...ratios), 4),
      rounded(median(ratios), 4),
      rounded(Math.max(...ratios), 4),
      medianInterval(ratios)
        .map((ratio) => rounded(ratio, 4))
        .join(' to '),
    ]);
  }
  return {
    title: `Training while checkpoints are stored in ${place.name} ÷ training while the store is away`,
    about: 'Checkpoints of more than 500 MB, one an epoch, in pairs. Target: a median of at most 1.01.',
    columns: [
      'the trainer',
      'pairs',
      'training of an epoch, nothing stored (s)',
      'ratio min',
      'ratio median',
      'ratio max',
      'the median lies in (95 %)',
    ],
    rows,
  };
}

/** Seconds of the last epoch, with the storing of the checkpoint before, or while its place is `away`. */
async function trained(host: BenchHost, training: Training, away: Place | null): Promise<number> {
  const run = await host.train(training);
  await host.training(run);
  const bringBack = await away?.takeAway();
  // Seldom: asking is work, too.
  while ((await run.query<RunView>(runQuery)).state === 'training') await delay(1000);
  await bringBack?.();
  const receipt = await run.result();
  const bytes = receipt.checkpoints[0]?.files.reduce((sum, { size }) => sum + size, 0) ?? 0;
  if (bytes < least) throw new Error(`a checkpoint has only ${bytes} bytes`);
  const [, root = '', output = ''] = /^(.*)\/(experiments\/.*)$/.exec(receipt.outputFolder ?? '') ?? [];
  const store = openFolder(root);
  const metrics = join(host.folder, 'metrics.jsonl');
  await writeFile(metrics, (await readText(store, `${output}/metrics.jsonl`)) ?? '');
  const seconds = await trainingSecondsPerEpoch(metrics);
  await store.remove(output);
  return seconds;
}

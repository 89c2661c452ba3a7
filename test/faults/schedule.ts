/** What happens in a random schedule, and to which trainings: a seed decides everything. */
import type { RunConfigInput } from '../../contracts/run-config.ts';
import { SeededRandom } from './seeded-random.ts';

export const faultKinds = [
  'stop',
  'second stop',
  'cancel',
  'pause and resume',
  'pause, then stop',
  'worker killed',
  'worker killed, back late',
  'worker drained',
  'worker drained, then ended',
  'worker handed over',
  'worker handed over, back late',
  'trainer killed without its worker',
  'supervisor killed',
  'second worker',
  'another store',
  'second namespace',
  'trainer killed',
  'server killed',
  'activity failed',
  'activity completed',
  'activity paused',
  'activity reset',
  'run reset to its first task',
  'run reset to a task in the middle',
  'run reset to its last task',
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** One thing that happens to one run, once it has come so far. */
export interface Step {
  run: number;
  epoch: number;
  batch: number;
  kind: FaultKind;
  /** Which one of several, from 0 to 1. */
  pick: number;
}

export interface Schedule {
  seed: number;
  /** Where its runs are stored: in a folder, or on S3 by a proxy that throttles, cuts, delays, damages and loses. */
  store: 'folder' | 's3';
  configs: Partial<RunConfigInput>[];
  steps: Step[];
}

const commonFaults = [
  ...['worker killed', 'worker killed', 'trainer killed', 'worker drained', 'server killed'],
  ...['pause and resume', 'pause and resume', 'worker killed, back late', 'worker drained, then ended'],
  ...['worker handed over', 'worker handed over', 'worker handed over, back late'],
  ...['trainer killed without its worker', 'supervisor killed'],
  ...['activity failed', 'activity completed', 'activity paused', 'activity reset'],
  ...['run reset to its first task', 'run reset to a task in the middle', 'run reset to its last task'],
  ...['second worker', 'another store', 'second namespace'],
] as const satisfies FaultKind[];
const ends = ['stop', 'stop', 'second stop', 'cancel', 'pause, then stop'] as const satisfies FaultKind[];

/** `faults`: those to draw from, one as often as it is named. */
export function scheduleOf(seed: number, faults: readonly [FaultKind, ...FaultKind[]] = commonFaults): Schedule {
  const random = new SeededRandom(seed);
  const configs = Array.from({ length: random.between(1, 3) }, () => randomConfig(random));
  const steps: Step[] = [];
  for (const [run, { epochs = 1, parameters }] of configs.entries()) {
    const moment = () => ({
      epoch: random.between(1, epochs),
      batch: random.between(0, Number(parameters?.batches)),
      pick: random.next(),
    });
    const count = random.between(0, 2);
    for (let index = 0; index < count; index++) steps.push({ run, ...moment(), kind: random.pick(faults) });
    if (random.next() < 0.45) steps.push({ run, ...moment(), kind: random.pick(ends) });
  }
  steps.sort((a, b) => a.epoch - b.epoch || a.batch - b.batch);
  if (steps.length === 0) {
    steps.push({ run: 0, epoch: 1, batch: 3, kind: random.pick(faults), pick: random.next() });
  }
  // By the seed alone, so that what is drawn stays.
  return { seed, store: seed % 5 === 4 ? 's3' : 'folder', configs, steps };
}

/** By the training's seed, so that what the others draw stays. */
const snapshots = ['off', 'auto', 0.1, 0.1] as const;

function randomConfig(random: SeededRandom): Partial<RunConfigInput> {
  const epochs = random.between(2, 5);
  const endsEarly = random.pick([false, false, false, true]);
  const seed = random.between(0, 3);
  return {
    epochs,
    seed,
    parameters: {
      batches: random.pick([8, 20, 40]),
      validation_batches: random.pick([0, 2, 4]),
      batch_seconds: random.pick([0.01, 0.03, 0.05]),
      save_seconds: random.pick([0, 0, 0.1]),
      children: random.pick([0, 0, 1]),
      escaped: random.pick([0, 0, 1]),
      // After the last epoch it is no early end.
      early_end: endsEarly ? `${random.between(1, epochs)}:call` : '',
    },
    checkpoints: {
      everyBatches: random.pick([0, 0, 7]),
      last: random.pick([1, 1, 2]),
      everyEpochs: random.pick([0, 0, 2]),
      snapshots: snapshots[seed] ?? 'auto',
    },
    failures: { restarts: 20, backoffSeconds: 0.2, maxBackoffSeconds: 1 },
    deadlines: {
      ...{ heartbeatSeconds: 5, stopSeconds: 30, terminateSeconds: 5 },
      // Shorter than a worker takes to come back, or longer.
      reattachSeconds: random.pick([1, 60, 60]),
    },
  };
}

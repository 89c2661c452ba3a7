/** Why something ended other than planned, told apart so that a policy and a person can act on it. */
import { z } from 'zod';
import type { FailurePolicy } from './run-config.ts';
import { extensible, openEnum } from './tolerance.ts';

export const failureKinds = {
  invalidConfig: 'the configuration was refused before training',
  setUp: 'the trainer could not be set up (its environment, its program, its data)',
  outOfMemory: 'host or GPU memory ran out',
  nan: 'the loss became NaN or infinite',
  data: 'the data set is missing, unreadable or wrong',
  gpuMissing: 'the trainer found no GPU where it needs one',
  trainerError: 'the trainer raised an exception',
  trainerKilled: 'the trainer process was killed from outside',
  protocol: 'the trainer sent something that is not in the protocol',
  hang: 'the trainer made no progress for longer than its limit',
  workerLost: 'the worker process ended; its trainer checkpointed and exited',
  hostLost: 'the host stopped answering',
  store: 'the artifact store could not be read or written',
  otherStore: "the host has a different artifact store at the address of the run's store, or may not open it",
  noContainer: 'the host has no container engine, or not the image that the trainer runs in',
  checkpointLost: 'a checkpoint is not in the store, and damaged on its host or lost with it',
  dataDisk: 'the disk of the run folders is full or not writable',
  forceStopped: 'the run was terminated or deleted from outside, so that it could not end itself',
  internal: 'a defect in Epochal itself',
  other: 'a failure of a kind that this version does not know',
} as const;

export type FailureKind = keyof typeof failureKinds;

export const failureSchema = extensible({
  kind: openEnum(Object.keys(failureKinds) as [FailureKind, ...FailureKind[]]),
  /** One sentence for a person. */
  message: z.string().max(4_000),
  /** The end of the trainer's traceback, where there is one. */
  traceback: z.string().max(16_000).optional(),
  /** How the process ended, where it did. */
  exit: extensible({ code: z.int().nullable(), signal: z.string().nullable() }).optional(),
});
export type Failure = z.infer<typeof failureSchema>;

/** What a host lacks that another host of the pool may have: a run waits for that one. */
const lacking: ReadonlySet<FailureKind> = new Set(['otherStore', 'noContainer']);
export const isForAnotherHost = (failure: Pick<Failure, 'kind'> | null | undefined): boolean =>
  failure !== null && failure !== undefined && lacking.has(failure.kind);

/** Failures that another attempt cannot mend. */
const finalFailures: ReadonlySet<FailureKind> = new Set([
  'invalidConfig',
  'setUp',
  'data',
  'gpuMissing',
  'protocol',
  'internal',
]);

/** Whether a failure ends the training at once, whatever the restarts budget: always, or because the configuration says so. */
export function endsTraining({ kind }: Failure, policy: Pick<FailurePolicy, 'onNan' | 'onOutOfMemory'>): boolean {
  if (kind === 'nan') return policy.onNan === 'stop';
  if (kind === 'outOfMemory') return policy.onOutOfMemory === 'fail';
  return finalFailures.has(kind);
}

/** One problem of a configuration: which field, what it holds, what is allowed. */
export const configProblemSchema = extensible({
  /** Path of the field, as written in the YAML: `checkpoints.best.metric`, `parameters.batchSize`. */
  field: z.string(),
  /** The value as JSON, shortened. */
  value: z.string(),
  /** What is allowed, as a clause that follows "field is value: ". */
  message: z.string(),
});
export type ConfigProblem = z.infer<typeof configProblemSchema>;

/** `epochs is 0: must be at least 1` */
export function problemSentence({ field, value, message }: ConfigProblem): string {
  return `${field || 'the configuration'} is ${value}: ${message}`;
}

/** The configuration of a run, as a person writes it in YAML. Unknown keys are refused. */
import { z } from 'zod';
import { name } from './names.ts';

const seconds = (allowed: { min: number; max: number; default: number }) =>
  z.number().min(allowed.min).max(allowed.max).default(allowed.default);

/** Characters of JSON: the configuration travels with every message of a run. */
const longestParameters = 50_000;

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

/** Bytes: most systems know no path of more than 4,095, and those in a store go on with names, and with what a trainer saves. */
export const mostOfStore = 2000;

/** An address of a store. */
export const storeAddress = z
  .string()
  .min(1)
  .refine((address) => bytesOf(address) <= mostOfStore, { message: `must have at most ${mostOfStore} bytes` });

/** Bytes: Temporal takes no longer one, and a run whose activities it refuses could neither train nor end. */
const mostOfFairnessKey = 64;

const week = 7 * 24 * 3600;

export const bestSchema = z.strictObject({
  /** Any metric that the trainer reports. */
  metric: z.string().min(1).max(200),
  mode: z.enum(['min', 'max']),
});

export const checkpointPolicySchema = z.strictObject({
  /** Which checkpoint is best; left out, the trainer's own choice. */
  best: bestSchema.optional(),
  /** How many of the most recent end-of-epoch checkpoints to keep. */
  last: z.int().min(1).max(50).default(1),
  /** Keep every N-th epoch's checkpoint for good; 0 keeps none. */
  everyEpochs: z.int().min(0).max(1_000_000).default(0),
  /** Save within an epoch too, every N batches, so that a crash costs less; 0 saves at the end of epochs alone. */
  everyBatches: z.int().min(0).max(1_000_000_000).default(0),
});
export type CheckpointPolicy = z.infer<typeof checkpointPolicySchema>;

export const failurePolicySchema = z.strictObject({
  /** Failures in a row without a new epoch completed between them, after which the training ends as failed. */
  restarts: z.int().min(0).max(1000).default(3),
  /** Wait before the first restart; doubles with each failure in a row. */
  backoffSeconds: seconds({ min: 0, max: 3600, default: 2 }),
  maxBackoffSeconds: seconds({ min: 0, max: 24 * 3600, default: 300 }),
  /** Out of memory: halve the batch and accumulate gradients where the trainer can, or fail. */
  onOutOfMemory: z.enum(['smallerBatch', 'fail']).default('smallerBatch'),
  /** NaN or infinite loss: end the training, or go on from the checkpoint before. */
  onNan: z.enum(['stop', 'rollBack']).default('stop'),
});
export type FailurePolicy = z.infer<typeof failurePolicySchema>;

export const deadlinesSchema = z
  .strictObject({
    /** From the start of the trainer process to its first sign of being ready. */
    setUpSeconds: seconds({ min: 1, max: week, default: 1800 }),
    /** From a stop to the end of the batch under way, its checkpoint included; then SIGTERM. */
    stopSeconds: seconds({ min: 0.1, max: week, default: 120 }),
    /** From SIGTERM to SIGKILL. */
    terminateSeconds: seconds({ min: 0.1, max: 3600, default: 15 }),
    /** From the end of the last epoch to the end of the process (exports, last plots). */
    finishSeconds: seconds({ min: 1, max: week, default: 3600 }),
    /** How long publishing is tried before the run ends with its files kept on the host. */
    publishSeconds: seconds({ min: 1, max: 4 * week, default: week }),
    /** No heartbeat from the host for this long: the run goes on elsewhere. */
    heartbeatSeconds: seconds({ min: 1, max: 3600, default: 15 }),
    /** Shortest and longest time without progress that counts as a hang; between them the run's own batches decide. */
    hangFloorSeconds: seconds({ min: 1, max: week, default: 120 }),
    hangCeilingSeconds: seconds({ min: 1, max: week, default: 3600 }),
  })
  .refine((deadlines) => deadlines.hangFloorSeconds <= deadlines.hangCeilingSeconds, {
    path: ['hangCeilingSeconds'],
    message: 'must be at least deadlines.hangFloorSeconds',
  });
export type Deadlines = z.infer<typeof deadlinesSchema>;

export const runConfigSchema = z.strictObject({
  /** The run's id, also its workflow id; made from trainer and time when left out. */
  run: name.optional(),
  project: name.default('default'),
  trainer: name,
  epochs: z.int().min(1).max(1_000_000),
  /** The trainer's own parameters; its manifest says which there are. */
  parameters: z
    .record(z.string(), z.json())
    .refine((parameters) => JSON.stringify(parameters).length <= longestParameters, {
      message: `must have at most ${longestParameters} characters as JSON; what is larger belongs into a file`,
    })
    .default({}),
  /** Absolute path of the data set on the workers, or the name of one that the trainer brings along. */
  data: z.string().min(1).max(4096).optional(),
  seed: z.int().min(0).max(4_294_967_295).default(0),
  /** The pool of workers that may train it. */
  pool: name.default('gpu'),
  /** 1 is served first, 5 last. */
  priority: z.int().min(1).max(5).default(3),
  /** Runs with the same key share their pool's slots fairly with other keys. */
  fairnessKey: z
    .string()
    .min(1)
    .max(mostOfFairnessKey)
    .refine((key) => bytesOf(key) <= mostOfFairnessKey && !/[\p{Cc}\p{Cs}]/u.test(key), {
      message: `must be plain text of at most ${mostOfFairnessKey} bytes; letters beyond ASCII have more than one`,
    })
    .optional(),
  /** Where artifacts go: an absolute path or a `file:` address; left out, the worker's own store. */
  store: storeAddress.optional(),
  /** Which store that is, filled in when the configuration is checked: a host with another one at this address refuses the run. */
  storeIdentity: z.string().min(1).max(100).optional(),
  /** Start from a checkpoint of another run instead of from scratch. */
  continueFrom: z
    .strictObject({
      /** The other run's output folder. */
      outputFolder: z.string().min(1).max(4096),
      /** A checkpoint's name, or which to take. */
      checkpoint: z.union([z.enum(['best', 'last']), name]).default('last'),
      /** True: go on with its epoch numbers and optimizer. False: take the weights alone, as a new training. */
      keepProgress: z.boolean().default(true),
    })
    .optional(),
  checkpoints: checkpointPolicySchema.prefault({}),
  failures: failurePolicySchema.prefault({}),
  deadlines: deadlinesSchema.prefault({}),
});

/** A configuration with all defaults filled in. */
export type RunConfig = z.infer<typeof runConfigSchema>;
/** A configuration as it is written: what has a default may be left out. */
export type RunConfigInput = z.input<typeof runConfigSchema>;

/** What a draft holds: any part of a configuration. */
export const draftConfigSchema = runConfigSchema.partial();
export type DraftConfig = z.input<typeof draftConfigSchema>;

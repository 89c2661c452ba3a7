/**
 * The configuration of a run, as a person writes it in YAML. Unknown keys are refused. `docs/configuration.md` and the JSON Schema
 * that editors use are made from the descriptions here (`npm run docs`).
 */
import { z } from 'zod';
import { name, placeName } from './names.ts';
import { isProjectAddress, readProjectAddress } from './project-address.ts';
import { imageReference, limitsSchema } from './run-container.ts';
import { tolerant } from './tolerance.ts';
import { storedTrackersSchema, trackersSchema } from './trackers.ts';

const seconds = (allowed: { min: number; max: number; default: number }) =>
  z.number().min(allowed.min).max(allowed.max).default(allowed.default);

/** Characters of JSON: the configuration travels with every message of a run. */
const longestParameters = 50_000;

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

/** Bytes: most systems know no path of more than 4,095, and those in a store go on with names, and with what a trainer saves. */
export const mostOfStore = 2000;

export const hasCredentials = (address: string): boolean =>
  /^[a-z][a-z0-9+.-]*:\/\/[^/]*@/i.test(address) || /[?&](sig|x-(amz|goog)-signature)=/i.test(address);

/** A configuration is shown, and kept: here, before it is sent anywhere. */
const withoutCredentials = [
  (address: string) => !hasCredentials(address),
  { message: 'must have no credentials in it: a worker has its own' },
] as const;

/** An address of a store. */
export const storeAddress = z
  .string()
  .min(1)
  .refine((address) => bytesOf(address) <= mostOfStore, { message: `must have at most ${mostOfStore} bytes` })
  .refine(...withoutCredentials);

/** Bytes: Temporal takes no longer one, and a run whose activities it refuses could neither train nor end. */
const mostOfFairnessKey = 64;

const week = 7 * 24 * 3600;

export const bestSchema = z.strictObject({
  metric: z.string().min(1).max(200).describe('Any metric that the trainer reports.'),
  mode: z.enum(['min', 'max']).describe('Whether a lower or a higher value is better.'),
});

export const checkpointPolicySchema = z.strictObject({
  best: bestSchema.optional().describe("Which checkpoint is the best one. If omitted: the trainer's own choice."),
  last: z.int().min(1).max(50).default(1).describe('How many of the most recent end-of-epoch checkpoints to retain.'),
  everyEpochs: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(0)
    .describe(
      'Retain the checkpoint of every N-th epoch permanently; of those that cannot be stored yet, the newest 50. 0: of none.',
    ),
  everyBatches: z
    .int()
    .min(0)
    .max(1_000_000_000)
    .default(0)
    .describe(
      'Also save within an epoch, every N batches, so that a crash costs less. 0: only at the end of an epoch.',
    ),
  snapshots: z
    .union([z.enum(['auto', 'off']), z.number().min(0.1).max(week)])
    .default('auto')
    .describe(
      'How often the trainer saves a snapshot on its host, in seconds: what a run resumes from after a kill, out of memory or a hang. `auto`: as often as about 1 % of the training time pays for. Snapshots are not published.',
    ),
});
export type CheckpointPolicy = z.infer<typeof checkpointPolicySchema>;

export const failurePolicySchema = z.strictObject({
  restarts: z
    .int()
    .min(0)
    .max(1000)
    .default(3)
    .describe(
      'How many consecutive failures, with no new epoch completed between them, are followed by a restart. One more ends the run as failed.',
    ),
  backoffSeconds: seconds({ min: 0, max: 3600, default: 2 }).describe(
    'Delay before the first restart. It doubles with each consecutive failure.',
  ),
  maxBackoffSeconds: seconds({ min: 0, max: 24 * 3600, default: 300 }).describe('Longest delay before a restart.'),
  onOutOfMemory: z
    .enum(['smallerBatch', 'fail'])
    .default('smallerBatch')
    .describe('Out of memory: halve the batch and accumulate gradients (where the trainer can), or fail.'),
  onNan: z
    .enum(['stop', 'rollBack'])
    .default('stop')
    .describe(
      'Loss is NaN or infinite: end the run as failed, or resume from the previous checkpoint, one epoch further back with each attempt that gets no further.',
    ),
});
export type FailurePolicy = z.infer<typeof failurePolicySchema>;

export const deadlinesSchema = z
  .strictObject({
    setUpSeconds: seconds({ min: 1, max: week, default: 1800 }).describe(
      'From the start of the trainer process until it is ready to train; the time starts again with each progress that its set-up reports (images checked before the first epoch).',
    ),
    stopSeconds: seconds({ min: 0.1, max: week, default: 120 }).describe(
      'From a stop to the end of the current batch, its checkpoint included; then SIGTERM.',
    ),
    terminateSeconds: seconds({ min: 0.1, max: 3600, default: 15 }).describe('From SIGTERM to SIGKILL.'),
    finishSeconds: seconds({ min: 1, max: week, default: 3600 }).describe(
      'From the end of the last epoch to the end of the trainer process (exports, final plots).',
    ),
    publishSeconds: seconds({ min: 1, max: 4 * week, default: week }).describe(
      'How long publishing is retried before the run ends with its files kept on the host.',
    ),
    heartbeatSeconds: seconds({ min: 1, max: 3600, default: 30 }).describe(
      'How long a host may be silent before the run resumes on another one. It tells of a run that nobody watches three times in this time, and once a minute at least.',
    ),
    reattachSeconds: seconds({ min: 0.1, max: week, default: 60 }).describe(
      'How long a trainer trains on without a worker, through the epochs it was granted, before it saves at its batch boundary and ends.',
    ),
    hangFloorSeconds: seconds({ min: 1, max: week, default: 120 }).describe(
      "Shortest time without progress that counts as a hang. Between this and `hangCeilingSeconds`, the durations of the run's own batches decide.",
    ),
    hangCeilingSeconds: seconds({ min: 1, max: week, default: 3600 }).describe(
      'Longest time without progress that does not count as a hang.',
    ),
  })
  .refine((deadlines) => deadlines.hangFloorSeconds <= deadlines.hangCeilingSeconds, {
    path: ['hangCeilingSeconds'],
    message: 'must be at least deadlines.hangFloorSeconds',
  });
export type Deadlines = z.infer<typeof deadlinesSchema>;

export const runConfigSchema = z.strictObject({
  run: name
    .optional()
    .describe("The run's id, which is also its workflow id. If omitted: generated from the trainer and the time."),
  project: name.default('default').describe('Groups runs: in lists, and as a folder of the store.'),
  trainer: name.describe('Name of the trainer; `epochal trainers` lists those of a pool.'),
  epochs: z.int().min(1).max(1_000_000).describe('How many epochs to train.'),
  parameters: z
    .record(z.string(), z.json())
    .refine((parameters) => JSON.stringify(parameters).length <= longestParameters, {
      message: `must have at most ${longestParameters} characters as JSON; put anything larger into a file`,
    })
    .default({})
    .describe("The trainer's own parameters; `epochal trainers --json` lists them with their defaults and bounds."),
  data: z
    .string()
    .min(1)
    .max(4096)
    .refine((data) => !isProjectAddress(data) || readProjectAddress(data) !== null, {
      message: 'must have the number of a project after supervisely:, such as supervisely:1951',
    })
    .optional()
    .describe(
      'Absolute path of the data set on the hosts, the name of one that comes with the trainer, or a project of a Supervisely server, `supervisely:PROJECT-ID`, to which the check adds its version.',
    ),
  seed: z.int().min(0).max(4_294_967_295).default(0).describe('Seed of all random numbers of the training.'),
  pool: name.default('gpu').describe('The pool of hosts that may train the run.'),
  priority: z.int().min(1).max(5).default(3).describe('1 is served first, 5 last.'),
  fairnessKey: z
    .string()
    .min(1)
    .max(mostOfFairnessKey)
    .refine((key) => bytesOf(key) <= mostOfFairnessKey && !/[\p{Cc}\p{Cs}]/u.test(key), {
      message: `must be plain text of at most ${mostOfFairnessKey} bytes; letters beyond ASCII have more than one`,
    })
    .optional()
    .describe("Runs with the same key share the pool's slots fairly with those of other keys, such as one per team."),
  store: storeAddress
    .optional()
    .describe(
      "Where results go: an absolute path, a `file:` address, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX` or `teamfiles:/FOLDER`. If omitted: the host's default store.",
    ),
  code: z
    .enum(['diff', 'none'])
    .optional()
    .describe(
      'What is published of the uncommitted changes in the repository of the trainer: `diff`, those of tracked files, up to 1 MiB, as `code.diff`; `none`, nothing. If omitted: `diff`. Files that look as if they held secrets are left out, and those that `.gitattributes` marks `-diff` are told by name and digest.',
    ),
  image: imageReference
    .optional()
    .describe(
      "Image that the trainer runs in, in a container; the hosts must have it, and allow it. If omitted: the trainer's own, else that of the worker, where it runs trainers in containers.",
    ),
  limits: limitsSchema
    .optional()
    .describe("Limits of the trainer's container, up to those of the worker. If omitted: those of the worker."),
  storeIdentity: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe(
      'Which store that is. Filled in by the check: a host with another store at this address refuses the run.',
    ),
  continueFrom: z
    .strictObject({
      run: placeName
        .optional()
        .describe(
          'Id of the other run: the newest life of it, or `<run>@<8 digits>`. The check puts its output folder in its place.',
        ),
      outputFolder: z
        .string()
        .min(1)
        .max(4096)
        .refine(...withoutCredentials)
        .optional()
        .describe("The other run's output folder, in place of its id."),
      checkpoint: z
        .union([z.enum(['best', 'last']), name])
        .default('last')
        .describe("`best`, `last`, or a checkpoint's name."),
      keepProgress: z
        .boolean()
        .default(true)
        .describe('true: continue, with its epoch numbers and optimizer. false: fork, from its weights alone.'),
    })
    .refine(({ run, outputFolder }) => (run === undefined) !== (outputFolder === undefined), {
      message: 'must have either run or outputFolder',
    })
    .optional()
    .describe('Start from a checkpoint of another run instead of from scratch.'),
  trackers: trackersSchema
    .optional()
    .describe(
      "Trackers of experiments that are told of the run: `mlflow`, `wandb`, or one with where: `{mlflow: {experiment: NAME}}`, `{wandb: {project: NAME, entity: NAME}}`, `{other: {name: NAME}}`. If omitted: the workers' own choice; `[]`: none.",
    ),
  checkpoints: checkpointPolicySchema.prefault({}).describe('Which checkpoints are saved and retained.'),
  failures: failurePolicySchema.prefault({}).describe('What follows a failure.'),
  deadlines: deadlinesSchema.prefault({}).describe('How long each step may take, in seconds.'),
});

const storedParts = { trackers: storedTrackersSchema.optional() };

/** As a file or a message of another version has it. */
export const storedRunConfigSchema = tolerant(runConfigSchema).extend(storedParts);

/** A configuration with all defaults filled in. */
export type RunConfig = z.infer<typeof runConfigSchema>;
/** A configuration as it is written: what has a default may be left out. */
export type RunConfigInput = z.input<typeof runConfigSchema>;

/** What a draft holds: any part of a configuration. */
export const draftConfigSchema = runConfigSchema.partial();
export type DraftConfig = z.input<typeof draftConfigSchema>;
/** The same of another version. */
export const storedDraftSchema = tolerant(draftConfigSchema).extend(storedParts);

/** Everything that goes in and out of a `trainingRun` workflow. */
import { z } from 'zod';
import { originSchema } from './asked.ts';
import { bestEpochSchema, ledgerEntrySchema, metricsSchema, positionSchema } from './checkpoint.ts';
import { placeName } from './names.ts';
import { receiptSchema, restartSchema, runStateSchema, stopModeSchema } from './receipt.ts';
import { draftConfigSchema, storedDraftSchema } from './run-config.ts';
import { runTimeSchema } from './run-time.ts';
import { sessionSchema } from './session.ts';
import { extensible } from './tolerance.ts';

export const trainingRunType = 'trainingRun';

/** The workflow's single argument. The workflow id is the run id. */
export const trainingRunInputSchema = z.strictObject({
  config: draftConfigSchema,
  /** True: wait in `configuring` for `configure` and `train`. */
  draft: z.boolean().default(false),
  origin: originSchema.optional(),
});
export type TrainingRunInput = z.input<typeof trainingRunInputSchema>;

/** Updates. The last argument of each is an `askedSchema`, or none. Each is refused, with a sentence, in a state where it means nothing. Each answers with the run's view. */
export const updateNames = {
  configure: 'configure',
  train: 'train',
  stop: 'stop',
  pause: 'pause',
  resume: 'resume',
} as const;
/** Merged into the draft; nested objects too. `null` removes a field. */
export const configureSchema = z.record(z.string(), z.json());
export type Configure = z.infer<typeof configureSchema>;
export const stopRequestSchema = z.strictObject({ mode: stopModeSchema.default('batch') }).prefault({});
export type StopRequest = z.input<typeof stopRequestSchema>;

export const runQuery = 'run';

/** One row of the downsampled metric curves. */
export const curvePointSchema = extensible({
  epoch: z.int().min(1),
  at: z.iso.datetime(),
  seconds: z.number(),
  metrics: metricsSchema,
});
export type CurvePoint = z.infer<typeof curvePointSchema>;

export const runEventSchema = extensible({ at: z.iso.datetime(), message: z.string() });
export type RunEvent = z.infer<typeof runEventSchema>;

/** Answer of the query `run` and of every update. */
export const runViewSchema = extensible({
  run: z.string(),
  origin: originSchema.optional(),
  state: runStateSchema,
  /** The chart's full state, e.g. `training.epoch`. */
  detail: z.string(),
  /** As configured so far; with all defaults once it trains. */
  config: storedDraftSchema,
  /** Problems that keep a draft from training. */
  problems: z.array(z.string()),
  position: positionSchema,
  epochs: z.int().min(1).nullable(),
  /** Metrics of the last complete epoch. */
  metrics: metricsSchema,
  best: bestEpochSchema.nullable(),
  checkpoints: z.array(ledgerEntrySchema),
  curve: z.array(curvePointSchema),
  session: sessionSchema.nullable(),
  outputFolder: z.string().nullable(),
  /** Where its files are: the run id, or `<run>@<8 digits>` for another life of it. */
  place: placeName.optional(),
  /** Executions of this life, oldest first. */
  chain: z.array(z.string()).optional(),
  restarts: z.array(restartSchema),
  events: z.array(runEventSchema),
  /** When each state was entered first, and the seconds spent in it so far. */
  stateSeconds: z.record(z.string(), z.number().min(0)),
  enteredStateAt: z.iso.datetime(),
  /** Where its time went so far; left out where the run cannot tell. */
  time: runTimeSchema.optional(),
  receipt: receiptSchema.nullable(),
});
export type RunView = z.infer<typeof runViewSchema>;

/** Types of the application failures that cross the workflow boundary. */
export const failureTypes = {
  /** The input or an update was refused; details: `ConfigProblem[]`. */
  invalid: 'Invalid',
  /** An update came in a state where it means nothing. */
  wrongState: 'WrongState',
  /** The training failed; details: the receipt. */
  trainingFailed: 'TrainingFailed',
} as const;

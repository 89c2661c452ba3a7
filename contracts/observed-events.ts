/**
 * What a run tells its observers: its events, in order, each with an id that tells it from all others for good. An observer gets each at
 * least once.
 */
import { z } from 'zod';
import { askedSchema } from './asked.ts';
import { metricsSchema, positionSchema } from './checkpoint.ts';
import { instant, name, placeName } from './names.ts';
import { causeSchema, outcomeSchema, restartSchema, runStateSchema } from './receipt.ts';
import { extensible, openUnion } from './tolerance.ts';

const common = {
  /**
   * `<execution>/<seq>`, of the execution in which it happened: the same id is the same event. A life that a reset began has executions of
   * its own, though it may have begun with the one that the life before began with.
   */
  id: z.string().min(1),
  run: z.string().min(1),
  /** The execution that the life began with. */
  life: z.string().min(1),
  /** Counts the events of a life, from 1. A gap stands for all of those between the event before it and its own. */
  seq: z.int().min(1),
  at: instant,
  /** How far the training was. */
  position: positionSchema,
  /** Where it follows at once from what somebody asked of the run. */
  asked: askedSchema.optional(),
};

/** `val_loss < 0.1` */
export const metricConditionSchema = extensible({
  metric: z.string().min(1).max(200),
  is: z.enum(['<', '<=', '>', '>=']),
  bound: z.number(),
});
export type MetricCondition = z.infer<typeof metricConditionSchema>;

const dataOf = {
  /** The run entered another of its states. `detail` is the chart's full one. */
  state: extensible({ state: runStateSchema, detail: z.string() }),
  /** An epoch is complete and its checkpoint is whole. Of thousands of metrics, here and at the end, the first ones. */
  epoch: extensible({
    epoch: z.int().min(1),
    seconds: z.number(),
    metrics: metricsSchema,
    /** When the trainer had it complete, as `metrics.jsonl` has it. Workflows of old do not tell. */
    at: instant.optional(),
  }),
  /** A checkpoint was stored, and its copy verified. */
  checkpoint: extensible({ name: z.string() }),
  /** The receipt has the failure with its traceback. */
  restart: extensible({ reason: restartSchema.shape.reason, failure: restartSchema.shape.failure }),
  /** It was paused, or resumes after a pause. */
  held: extensible({ isHeld: z.boolean() }),
  /** It is over. `place` is where its results are in the project's folder of the store. */
  ended: extensible({
    outcome: outcomeSchema,
    cause: causeSchema,
    place: placeName,
    outputFolder: z.string().nullable(),
    metrics: metricsSchema,
  }),
  /** A metric of a complete epoch is as an observer waits for, and was not before in this life. */
  metric: extensible({ ...metricConditionSchema.shape, value: z.number(), epoch: z.int().min(1) }),
  /** It has waited for that long for a free slot, or for a trainer to be ready. */
  waiting: extensible({ seconds: z.int().min(1) }),
  /** Events that were not kept for an observer that was unavailable for long: how many of each kind. `metrics.jsonl` has all epochs. */
  gap: extensible({ events: z.record(z.string(), z.int().min(1)) }),
} as const;

export type ObservedKind = keyof typeof dataOf;
export const observedKinds = Object.keys(dataOf) as readonly ObservedKind[];

const option = <Kind extends ObservedKind>(kind: Kind) =>
  extensible({ kind: z.literal(kind), ...common, data: dataOf[kind] });

export const observedEventSchema = openUnion('kind', [
  option('state'),
  option('epoch'),
  option('checkpoint'),
  option('restart'),
  option('held'),
  option('ended'),
  option('metric'),
  option('waiting'),
  option('gap'),
]);
export type ObservedEvent = Exclude<z.infer<typeof observedEventSchema>, { kind: 'other' }>;

/** Whom a pool tells of the events of its runs, and of which. Kinds of later versions do not happen here. */
export const observedBySchema = extensible({
  name,
  kinds: z.array(z.string().max(50)).max(50),
  /** What is an event for its sake alone. */
  waitsFor: extensible({
    metrics: z.array(metricConditionSchema).max(50),
    /** Seconds in a pool's queue. */
    queued: z.array(z.int().min(1)).max(20),
  }).optional(),
});
export type ObservedBy = z.infer<typeof observedBySchema>;

/** A gap concerns those who would have been told of what it counts. */
export const isWanted = (event: ObservedEvent, kinds: readonly string[]): boolean =>
  event.kind === 'gap'
    ? Object.keys(event.data.events).some((kind) => kinds.includes(kind))
    : kinds.includes(event.kind);

/** In the output folder: what happened in the run, one event per line. Epochs are in `metrics.jsonl` and checkpoints in the receipt. */
export const eventsFile = 'events.jsonl';

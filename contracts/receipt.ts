/** The receipt: what a run came to, and what was saved where. Written once a run is over, and never kinder than the truth. */
import { z } from 'zod';
import { askedSchema, originSchema } from './asked.ts';
import {
  bestEpochSchema,
  checkpointManifestSchema,
  isBefore,
  keepReasonSchema,
  metricsSchema,
  type Position,
} from './checkpoint.ts';
import { dataSummarySchema } from './data-report.ts';
import { failureSchema } from './failure.ts';
import { receiptFactsSchema, sessionRecordSchema } from './receipt-facts.ts';
import { runTimeSchema } from './run-time.ts';
import { extensible, openEnum, openUnion } from './tolerance.ts';

export const runStateSchema = z.enum(['configuring', 'training', 'stopping', 'uploading', 'stopped']);
export type RunState = z.infer<typeof runStateSchema>;

/**
 * - completed: all epochs trained, or as many as the trainer itself wanted (`cause.early`), everything published.
 * - stopped: someone stopped it; what was trained until then is published.
 * - failed: it ended by itself before its time; `cause` says why, `checkpoints` what was salvaged.
 * - salvaged: its end was not seen by the run itself (terminated, deleted); what was found was published.
 * - lost: the same, and nothing was found.
 */
export const outcomeSchema = z.enum(['completed', 'stopped', 'failed', 'salvaged', 'lost']);
export type Outcome = z.infer<typeof outcomeSchema>;

export const stopModeSchema = z.enum(['batch', 'epoch', 'now']);
export type StopMode = z.infer<typeof stopModeSchema>;

export const causeSchema = openUnion('kind', [
  extensible({
    kind: z.literal('finished'),
    /** The trainer ended before the last planned epoch, by its own decision; `epochs` of the receipt has both numbers. */
    early: extensible({ reason: z.string() }).optional(),
  }),
  extensible({
    kind: z.literal('stop'),
    by: z.enum(['update', 'cancel']),
    mode: stopModeSchema,
    asked: askedSchema.optional(),
  }),
  extensible({ kind: z.literal('failure'), failure: failureSchema }),
]);
export type Cause = z.infer<typeof causeSchema>;

export const restartSchema = extensible({
  at: z.iso.datetime(),
  /** `preemption` and `workerLost` do not use up the restarts budget. */
  reason: openEnum(['preemption', 'failure']),
  failure: failureSchema.nullable(),
  /** Epochs complete when it happened. */
  epoch: z.int().min(0),
});
export type Restart = z.infer<typeof restartSchema>;

export const publishedFileSchema = extensible({
  /** Path inside the output folder. */
  path: z.string(),
  size: z.int().min(0),
  sha256: z.string(),
});
export type PublishedFile = z.infer<typeof publishedFileSchema>;

export const receiptSchema = extensible({
  /** Rises where a reader of old would take it wrong, not where fields are added. */
  receiptVersion: z.literal(1),
  run: z.string(),
  origin: originSchema.optional(),
  project: z.string(),
  trainer: z.string(),
  outcome: outcomeSchema,
  cause: causeSchema,
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  epochs: extensible({ trained: z.int().min(0), planned: z.int().min(0) }),
  batches: extensible({
    /** Training batches that are part of the result. */
    trained: z.int().min(0),
    /** Training batches that were trained and lost, and so trained again or given up. */
    wasted: z.int().min(0),
    /** There may be more of these: a host was lost, and what it trained after it was last heard of, nobody knows. */
    wastedAtLeast: z.boolean().optional(),
    /** Those by what made them so: `preemption`, `stop`, or a kind of failure. Left out where the run cannot tell. */
    wastedBy: z.record(z.string(), z.int().min(0)).optional(),
    /** Batches begun after the trainer knew of the stop: 0 or 1; null where there was no stop, or no answer. */
    afterStop: z.int().min(0).nullable(),
  }),
  /** Metrics of the last complete epoch. */
  metrics: metricsSchema,
  best: bestEpochSchema.nullable(),
  checkpoints: z.array(
    extensible({
      ...checkpointManifestSchema.shape,
      /** Their paths are relative to the output folder. */
      files: z.array(publishedFileSchema),
      reasons: z.array(keepReasonSchema),
    }),
  ),
  /** Other published files: logs, metrics.jsonl, config.yaml, artifacts. Where they are many, `files.jsonl` has them all. */
  files: z.array(publishedFileSchema),
  outputFolder: z.string().nullable(),
  publishedBytes: z.int().min(0),
  /** What became of the run folder on the host. */
  localFolder: openUnion('kind', [
    extensible({ kind: z.literal('none') }),
    extensible({ kind: z.literal('removed') }),
    extensible({ kind: z.literal('kept'), host: z.string(), path: z.string(), why: z.string() }),
    /** The host did not answer: its upkeep decides when it is back. */
    extensible({ kind: z.literal('unknown'), host: z.string() }),
  ]),
  /** Seconds spent in each state. */
  stateSeconds: z.record(z.string(), z.number().min(0)),
  /** From the start of the training to the end, by cause; left out where the run cannot tell. */
  time: runTimeSchema.optional(),
  restarts: z.array(restartSchema),
  /** No process of the trainer's group was alive at the end; null when the host could not be asked. */
  processGroupGone: z.boolean().nullable(),
  /** The GPU's memory was back at what it was before the trainer; null without a GPU of its own, or where nobody could ask. */
  gpuMemoryReleased: z.boolean().nullable().default(null),
  /** What was trained on, in counts and hashes; `data-report.json` has the whole. Null where the trainer told none. */
  data: dataSummarySchema.nullable().default(null),
  notes: z.array(z.string()),
  /** The newest hundred sessions that trained, oldest first; left out where the run cannot tell. */
  sessions: z.array(sessionRecordSchema).optional(),
  ...receiptFactsSchema.shape,
});
export type Receipt = z.infer<typeof receiptSchema>;

/**
 * Whether a run landed without what `host` has, because it continued elsewhere (the host was left, cut off, or died):
 * whatever was published from there would go over something newer. Not so where the run ended without word from that
 * host, which has the rest. `newest`: the newest checkpoint on it.
 */
export function supersedes(receipt: Receipt, host: string, newest: Position | null): boolean {
  if (receipt.publishedBytes === 0) return false;
  const isAwaited = 'host' in receipt.localFolder && receipt.localFolder.host === host;
  if (receipt.outcome !== 'salvaged' && receipt.outcome !== 'lost') return !isAwaited;
  // Nothing here can add to a receipt that does not wait for it, not even to one that says `lost`.
  if (newest === null) return !isAwaited || receipt.checkpoints.length > 0;
  return receipt.checkpoints.some((checkpoint) => isBefore(newest, checkpoint));
}

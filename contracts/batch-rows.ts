/**
 * What training batches logged, in `batches.jsonl` of the run folder: by the trainer, one row per line, in the order of positions, each once.
 * The SDK keeps a row of each batch that it tells, ten a second at most, and the first and the last of an epoch; beyond 20,000 rows or
 * 16 MiB every second one goes, and of those to come every second is left out.
 */
import { z } from 'zod';
import { metricsSchema, type Position } from './checkpoint.ts';
import { extensible } from './tolerance.ts';

export const batchesFile = 'batches.jsonl';
/** One that is larger was not written by the SDK, and is nobody's to read whole. */
export const mostBatchBytes = 32 << 20;

export const batchRowSchema = extensible({
  /** 1-based. */
  epoch: z.int().min(1),
  /** 1-based, in its epoch of `batches`, where the trainer knows. */
  batch: z.int().min(1),
  batches: z.int().min(1).nullable(),
  at: z.iso.datetime(),
  metrics: metricsSchema,
  /** It stands for so many that were told; left out for one. */
  stride: z.int().min(1).optional(),
});
export type BatchRow = z.infer<typeof batchRowSchema>;

/** Where the training was once that batch was done. */
export const positionOfRow = ({ epoch, batch }: Pick<BatchRow, 'epoch' | 'batch'>): Position => ({
  epoch: epoch - 1,
  batch,
});

/** Live progress: the heartbeat details of an epoch, read by whoever watches a run. */
import { z } from 'zod';
import { metricsSchema } from './checkpoint.ts';
import { phaseSchema } from './protocol.ts';
import { extensible } from './tolerance.ts';

export const progressSchema = extensible({
  phase: phaseSchema,
  /** 1-based epoch under way, of `epochs`. */
  epoch: z.int().min(1),
  epochs: z.int().min(1),
  /** Batches done in this phase, of `batches` where the trainer knows. */
  batch: z.int().min(0),
  batches: z.int().min(1).nullable(),
  metrics: metricsSchema,
  /** Batches per second, over the last seconds; null until known. */
  rate: z.number().min(0).nullable(),
  /** Resident memory of the trainer's processes, in bytes; null where it cannot be read. */
  memoryBytes: z.int().min(0).nullable(),
  at: z.iso.datetime(),
  /** While somebody watches: another time whenever the host was asked. Hosts of old do not tell, and are always watched. */
  watchedUntil: z.iso.datetime().optional(),
});
export type Progress = z.infer<typeof progressSchema>;

/** Heartbeat details of set-up, storing and publishing: what is being done, and how far it is. */
export const workProgressSchema = extensible({
  doing: z.string(),
  bytes: z.int().min(0).optional(),
  totalBytes: z.int().min(0).optional(),
  /** Of things that are counted, such as images. */
  counted: extensible({ done: z.int().min(0), total: z.int().min(1) }).optional(),
  /** The last error, while it is being tried again. */
  trouble: z.string().optional(),
});
export type WorkProgress = z.infer<typeof workProgressSchema>;

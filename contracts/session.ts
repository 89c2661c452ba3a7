/** A session: one trainer process on one host, from its start to its proven end. */
import { z } from 'zod';
import { checkpointManifestSchema, positionSchema } from './checkpoint.ts';
import { failureSchema } from './failure.ts';
import { earlyEndSchema, epochResultSchema } from './protocol.ts';
import { extensible } from './tolerance.ts';

/** What a session is called, as its run chooses. `generation` rises with each one that the run asks for, through all hosts. */
export const sessionNameSchema = extensible({ id: z.string(), generation: z.int().min(1) });
export type SessionName = z.infer<typeof sessionNameSchema>;

export const sessionSchema = extensible({
  id: z.string(),
  /** Sessions of old have none. */
  generation: sessionNameSchema.shape.generation.optional(),
  host: z.string(),
  /** Where it began: null from scratch. */
  resumedFrom: positionSchema.nullable(),
  devices: z.array(z.string()),
  versions: z.record(z.string(), z.string()),
  startedAt: z.iso.datetime(),
});
export type Session = z.infer<typeof sessionSchema>;

/** What the run folder holds beyond what the workflow knew: the same answer however often it is asked. */
export const sessionReportSchema = extensible({
  /** Complete epochs after the last one that the workflow named, in order. */
  epochs: z.array(epochResultSchema),
  /** Whole checkpoints that the workflow did not name. */
  checkpoints: z.array(checkpointManifestSchema),
  position: positionSchema,
  notes: z.array(z.string()),
  /** The session's trainer has decided to train no further. */
  endedEarly: earlyEndSchema.optional(),
});
export type SessionReport = z.infer<typeof sessionReportSchema>;

/** How a session ended, with the proof. */
export const sessionEndSchema = extensible({
  report: sessionReportSchema,
  /** Furthest batch that it is known to have trained, saved or not; null when nobody knows. Ends of old do not tell. */
  reached: positionSchema.nullable().optional(),
  /** As far as its worker heard of it. */
  batchesPerEpoch: z.int().min(0).optional(),
  exit: extensible({ code: z.int().nullable(), signal: z.string().nullable() }).nullable(),
  /** No process of the trainer's group is alive. False only when the host could not be asked. */
  processGroupGone: z.boolean(),
  /** The memory of its GPU is back at what it was before; null without a GPU of its own, or where nobody could ask. */
  gpuMemoryReleased: z.boolean().nullable(),
  /** Batches begun after the stop was known to the trainer; null when it did not say. */
  batchesAfterStop: z.int().min(0).nullable(),
  /** Milliseconds from the stop activity's start to the trainer's acknowledgement. */
  acknowledgedAfterMs: z.number().nullable(),
  failure: failureSchema.nullable(),
  /** No epoch follows, as planned or by the trainer's decision, and what follows the last one was done: nothing is missing among the artifacts. */
  finished: z.boolean(),
});
export type SessionEnd = z.infer<typeof sessionEndSchema>;

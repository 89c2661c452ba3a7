/**
 * What a session took of its host, measured by the worker, in `system.jsonl` of the run folder: one row per line, oldest first.
 * It has at most `mostSystemRows`: beyond that neighbours are joined, two by two, and rows are twice as long from then on.
 */
import { z } from 'zod';
import { extensible } from './tolerance.ts';

export const systemFile = 'system.jsonl';
export const mostSystemRows = 3_000;
/** The file lies where the trainer may write, too: one that is larger is nobody's to read. */
export const mostSystemBytes = 16 << 20;
/** Of a host; what a row has beyond is no reading. */
export const mostGpus = 64;
/** Of a row: a sum of what a damaged file has is still a number. */
const longestRow = 1e9;
/** Of a row, at first. */
export const systemRowSeconds = 5;

const amount = z.number().min(0).nullable();

export const gpuUseSchema = extensible({
  /** As the host's driver numbers it. */
  index: z.int().min(0),
  /** Of the time, 0 to 1, in which it computed. */
  use: amount,
  /** In use by anyone. */
  memoryBytes: amount,
  watts: amount,
  celsius: amount,
});
export type GpuUse = z.infer<typeof gpuUseSchema>;

/** Null: the system does not tell. Rates are means over the row; memory, power and temperature are the highest in it. */
export const systemUseSchema = extensible({
  /** Cores that were busy with the trainer's processes. */
  cpu: amount,
  /** Resident memory of these processes: what they share counts for each. */
  memoryBytes: amount,
  /** Per second, from and to a disk: what the page cache had does not count. */
  readBytes: amount,
  writtenBytes: amount,
  /** Per second, over all network interfaces that the trainer sees, whoever sent. */
  receivedBytes: amount,
  sentBytes: amount,
  /** Of the session's slot. */
  gpus: z.array(gpuUseSchema).max(mostGpus),
});
export type SystemUse = z.infer<typeof systemUseSchema>;

export const systemRowSchema = extensible({
  /** Its end. */
  at: z.iso.datetime(),
  /** How long it was measured. */
  seconds: z.number().min(0).max(longestRow),
  ...systemUseSchema.shape,
});
export type SystemRow = z.infer<typeof systemRowSchema>;

/** The highest of each value among the rows that were published, and over how long they measured. */
export const systemPeaksSchema = extensible({ seconds: z.number().min(0), ...systemUseSchema.shape });
export type SystemPeaks = z.infer<typeof systemPeaksSchema>;

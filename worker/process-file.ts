/** What a supervisor writes into the run folder for later workers: which processes there are, and how the trainer ended. */
import { z } from 'zod';
import { type RunFolder, readIfThere } from './run-folders.ts';
import { parseJson } from './run-report.ts';

const identitySchema = z.object({ pid: z.int().positive(), startTicks: z.string().nullable() });

/** `process.json`, as soon as there is a trainer. Files of old know of no supervisor. */
const processFileSchema = z.object({
  session: z.string(),
  ...identitySchema.shape,
  supervisor: identitySchema.optional(),
  /** Index of the slot that it trains in. */
  slot: z.int().min(0).optional(),
  startedAt: z.iso.datetime().optional(),
});
export type ProcessFile = z.infer<typeof processFileSchema>;

/** `exit.json`, as soon as there is none any more. */
const exitFileSchema = z.object({
  session: z.string(),
  code: z.int().nullable(),
  signal: z.string().nullable(),
  /** It was killed, and the kernel had just killed for want of memory; null where nobody counts. */
  outOfMemory: z.boolean().nullable(),
  /** Its supervisor had to end it: no worker had come for it, and it did not end by itself. */
  unattended: z.boolean(),
});
export type ExitFile = z.infer<typeof exitFileSchema>;
export const trainerEndSchema = exitFileSchema.omit({ session: true });
export type TrainerEnd = z.infer<typeof trainerEndSchema>;

/** Null where there is none, or none that can be read. */
export async function readProcessFile(folder: RunFolder): Promise<ProcessFile | null> {
  const text = await readIfThere(folder.process);
  return text === null ? null : parseJson(processFileSchema, text);
}

/** Null where nobody has recorded how this session's trainer ended. */
export async function readTrainerEnd(folder: RunFolder, session: string): Promise<TrainerEnd | null> {
  const text = await readIfThere(folder.exit);
  const file = text === null ? null : parseJson(exitFileSchema, text);
  if (file?.session !== session) return null;
  const { session: _, ...end } = file;
  return end;
}

/** `process.json` in a run folder: how a later worker finds the trainer's process again. */
import { z } from 'zod';
import { type RunFolder, readIfThere } from './run-folders.ts';
import { parseJson } from './run-report.ts';

const processFileSchema = z.strictObject({
  session: z.string(),
  pid: z.int().positive(),
  startTicks: z.string().nullable(),
});
export type ProcessFile = z.infer<typeof processFileSchema>;

/** Null where there is none, or none that can be read. */
export async function readProcessFile(folder: RunFolder): Promise<ProcessFile | null> {
  const text = await readIfThere(folder.process);
  return text === null ? null : parseJson(processFileSchema, text);
}

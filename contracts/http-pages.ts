/** What the HTTP API answers about a trainer's own pages. */
import { z } from 'zod';
import { fileSourceSchema } from './run-files.ts';
import { pageRowSchema } from './ui-values.ts';

/** The layout as `pages.json` has it (`ui.ts` reads it), null where there is none, and what widgets have shown. */
export const runPagesSchema = z.strictObject({
  source: fileSourceSchema,
  layout: z.record(z.string(), z.json()).nullable(),
  /** Of each widget the newest last. */
  rows: z.array(pageRowSchema),
});
export type RunPages = z.infer<typeof runPagesSchema>;

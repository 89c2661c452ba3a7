/** What the HTTP API answers about a trainer's own pages. */
import { z } from 'zod';
import { fileSourceSchema } from './run-files.ts';
import { pageRowSchema } from './ui-values.ts';

/** How far somebody has read, as the server has told it: nobody else needs to understand it. */
export const pagesCursorSchema = z.string().regex(/^[0-9a-f-]{1,100}$/);

/** The layout as `pages.json` has it (`ui.ts` reads it), and what widgets have shown. */
export const runPagesSchema = z.strictObject({
  source: fileSourceSchema,
  /** Null where there is none; missing where it is still the one that was told with `after`. */
  layout: z.record(z.string(), z.json()).nullable().optional(),
  /** Of each widget the newest last. */
  rows: z.array(pageRowSchema),
  /** False: these rows follow those that were told up to `after`. True: they are all that there are. */
  isWhole: z.boolean(),
  /** What to ask after for what comes next. */
  next: pagesCursorSchema,
});
export type RunPages = z.infer<typeof runPagesSchema>;

/** What the addresses of pages hold beside their paths. What we do not understand there is left out, never an error. */
import { z } from 'zod';
import { runSortSchema } from '../../contracts/http-answers.ts';
import { outcomeSchema, runStateSchema } from '../../contracts/receipt.ts';

const lenient = <T extends z.ZodType>(schema: T) => schema.optional().catch(undefined);
const text = lenient(z.coerce.string().max(200));

export const runsSearchSchema = z.object({
  state: lenient(runStateSchema),
  outcome: lenient(outcomeSchema),
  trainer: text,
  project: text,
  text,
  sort: lenient(runSortSchema),
});
export type RunsSearch = z.infer<typeof runsSearchSchema>;

export const newRunSearchSchema = z.object({
  /** A run to begin with a copy of. */
  from: text,
  checkpoint: text,
  keepProgress: lenient(z.boolean()),
  /** A draft to continue editing. */
  draft: text,
});

export const runTabs = [
  'overview',
  'pages',
  'curves',
  'checkpoints',
  'log',
  'files',
  'data',
  'receipt',
  'configuration',
] as const;
export type RunTab = (typeof runTabs)[number];
export const runSearchSchema = z.object({ tab: lenient(z.enum(runTabs)), folder: text });

export const compareSearchSchema = z.object({ runs: lenient(z.string().max(2000)) });

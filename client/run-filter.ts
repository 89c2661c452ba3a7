/** Which runs a list is of. */
import { z } from 'zod';
import { name } from '../contracts/names.ts';
import { outcomeSchema, runStateSchema } from '../contracts/receipt.ts';

export type { RunSummary } from '../contracts/run-summary.ts';

export const runFilterSchema = z.strictObject({
  state: runStateSchema.optional(),
  trainer: name.optional(),
  project: name.optional(),
  outcome: outcomeSchema.optional(),
  /** The newest so many. */
  limit: z.int().min(1).max(100_000).optional(),
});
export type RunFilter = z.input<typeof runFilterSchema>;

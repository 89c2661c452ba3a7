/** Which runs a list is of, and what it tells of each. */
import { z } from 'zod';
import { name } from '../contracts/names.ts';
import { type Outcome, outcomeSchema, type RunState, runStateSchema } from '../contracts/receipt.ts';

export const runFilterSchema = z.strictObject({
  state: runStateSchema.optional(),
  trainer: name.optional(),
  project: name.optional(),
  outcome: outcomeSchema.optional(),
  /** The newest so many. */
  limit: z.int().min(1).max(100_000).optional(),
});
export type RunFilter = z.input<typeof runFilterSchema>;

export interface RunSummary {
  run: string;
  state: RunState;
  trainer: string | null;
  project: string | null;
  outcome: Outcome | null;
  bestMetric: number | null;
  startedAt: string;
  endedAt: string | null;
}

/** Drafts: any part of a configuration, merged from `configure` updates. Pure. */
import { problemsOf } from '../contracts/config-problems.ts';
import type { ConfigProblem } from '../contracts/failure.ts';
import { draftConfigSchema } from '../contracts/run-config.ts';
import type { Configure } from '../contracts/run-messages.ts';

type Json = Configure[string];

/** Nested objects are merged too; `null` removes a field. */
export function mergeDraft(draft: Configure, patch: Configure): Configure {
  const merged: Configure = { ...draft };
  for (const [key, value] of Object.entries(patch)) {
    const before = merged[key];
    if (value === null) delete merged[key];
    else merged[key] = isObject(value) && isObject(before) ? mergeDraft(before, value) : value;
  }
  return merged;
}

/** What is wrong already; what is missing is asked for when it is to train. */
export function draftProblems(draft: Configure, run: string): ConfigProblem[] {
  if (draft.run !== run)
    return [{ field: 'run', value: JSON.stringify(draft.run ?? null), message: `must stay ${run}` }];
  const result = draftConfigSchema.safeParse(draft);
  return result.success ? [] : problemsOf(result.error, draft, draftConfigSchema);
}

const isObject = (value: Json | undefined): value is Configure =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

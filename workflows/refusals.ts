/** How bad input is refused: one typed failure, one sentence a problem. */
import * as wf from '@temporalio/workflow';
import type { z } from 'zod';
import { problemsOf } from '../contracts/config-problems.ts';
import { type ConfigProblem, problemSentence } from '../contracts/failure.ts';
import { failureTypes } from '../contracts/run-messages.ts';

export const invalid = (problems: readonly ConfigProblem[]): wf.ApplicationFailure =>
  wf.ApplicationFailure.create({
    type: failureTypes.invalid,
    message: problems.map(problemSentence).join('; '),
    nonRetryable: true,
    details: [problems],
  });

export const wrongState = (update: string, detail: string, needs: string): wf.ApplicationFailure =>
  wf.ApplicationFailure.create({
    type: failureTypes.wrongState,
    message: `${update} is refused: the run is in ${detail}, and ${update} needs ${needs}`,
    nonRetryable: true,
  });

/** Throws `invalid`; `what` names the whole input where a problem has no field. */
export function parse<T extends z.ZodType>(schema: T, input: unknown, what: string): z.output<T> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw invalid(
    problemsOf(result.error, input, schema).map((problem) => ({ ...problem, field: problem.field || what })),
  );
}

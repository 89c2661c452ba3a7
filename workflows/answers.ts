/** Answers of activities: looked at before they are believed, and asked for again where they make no sense. */
import * as wf from '@temporalio/workflow';
import type { z } from 'zod';
import { problemsOf } from '../contracts/config-problems.ts';
import { problemSentence } from '../contracts/failure.ts';
import { isUnexpected } from './session-failures.ts';

/** Seconds between one attempt and the next. */
const pauses = [1, 2, 4];

/**
 * The answer of an activity that may be asked again at any time: all of ours may. One that fails in a way that nobody planned, or answers
 * what it never would, is asked a few times more. Throws what it threw last.
 */
export async function answerOf<T extends z.ZodType>(
  activity: string,
  schema: T,
  ask: () => Promise<unknown>,
): Promise<z.output<T>> {
  for (let attempt = 0; ; attempt++) {
    try {
      return checked(activity, schema, await ask());
    } catch (error) {
      const pause = pauses[attempt];
      if (pause === undefined || !isUnexpected(error)) throw error;
      wf.log.warn('an activity failed unexpectedly; it is asked again', { activity, error, pause });
      await wf.sleep(`${pause}s`);
    }
  }
}

/** Anyone may complete an activity by hand, with anything. */
function checked<T extends z.ZodType>(activity: string, schema: T, answer: unknown): z.output<T> {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  const [first] = problemsOf(result.error, answer, schema);
  const problem = first ? problemSentence({ ...first, field: first.field || 'it' }) : 'it is not understood';
  throw new Error(`the answer of ${activity} is invalid: ${problem}`);
}

/** The queue of a pool, as far as it is known: by priority, then by who has waited longer. */

import { z } from 'zod';
import { attributes, waitingPool } from '../contracts/search-attributes.ts';
import type { Calls } from './calls.ts';
import { list, textOf } from './run-executions.ts';

/** Where a run waits; `place` sorts among those of its pool. */
export interface Waiting {
  pool: string;
  place: string;
  since: string;
}

const mostListed = 1_000;

export function waitingOf(place: string | null): Waiting | null {
  const [pool, , since] = place?.split('/') ?? [];
  const at = z.iso.datetime().safeParse(since);
  return place !== null && pool && at.success ? { pool, place, since: at.data } : null;
}

/**
 * Places of the runs that wait in the pool, or that are being set up, first of all the next one; of a queue that is longer than
 * 1,000 runs only so many.
 */
export async function queueOf(calls: Calls, pool: string): Promise<string[]> {
  const query = `${attributes.queue.name} STARTS_WITH '${waitingPool(pool)}' AND ExecutionStatus = 'Running'`;
  const { executions } = await list(calls, query, mostListed, null);
  return executions.flatMap((execution) => textOf(execution, attributes.queue) ?? []).sort();
}

/** Runs before it. With fairness keys the server may let one pass that has waited less. */
export const runsAhead = (queue: readonly string[], { place }: Pick<Waiting, 'place'>): number =>
  queue.filter((other) => other < place).length;

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

/** A run in the queue of its pool. */
export interface Queued {
  run: string;
  place: string;
}

/**
 * The runs that wait in the pool, or that are being set up, first of all the next one; of a queue that is longer than
 * 1,000 runs only so many.
 */
export async function queueOf(calls: Calls, pool: string): Promise<Queued[]> {
  const query = `${attributes.queue.name} STARTS_WITH '${waitingPool(pool)}' AND ExecutionStatus = 'Running'`;
  const { executions } = await list(calls, query, mostListed, null);
  const queued = executions.flatMap((execution): Queued[] => {
    const [run, place] = [execution.execution?.workflowId, textOf(execution, attributes.queue)];
    return run && place !== null ? [{ run, place }] : [];
  });
  return queued.sort((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : 0));
}

/** The runs before it, in their order. With fairness keys the server may let one pass that has waited less. */
export const queuedBefore = (queue: readonly Queued[], { place }: Pick<Waiting, 'place'>): string[] =>
  queue.filter((other) => other.place < place).map(({ run }) => run);

/** The queue of a pool, as far as it is known: by priority, then by who has waited longer. */

import { z } from 'zod';
import { attributes, waitingPool } from '../contracts/search-attributes.ts';
import type { Calls } from './calls.ts';
import { callSeconds, list, textOf } from './run-executions.ts';

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

/** How long the queue of a pool is. */
export interface QueueLength {
  pool: string;
  queued: number;
  /** Since when the one has waited that has waited longest, of the runs that are listed; null where nobody waits. */
  since: string | null;
}

/** Of these pools, and of those where runs wait, though no worker has been there for long. Of many runs `most` are listed, and all are counted. */
export async function queueLengths(calls: Calls, pools: readonly string[], most = mostListed): Promise<QueueLength[]> {
  const isOpen = `ExecutionStatus = 'Running'`;
  const { executions, next } = await list(calls, `${attributes.queue.name} IS NOT NULL AND ${isOpen}`, most, null);
  const waiting = executions.flatMap((execution) => waitingOf(textOf(execution, attributes.queue)) ?? []);
  const count = async (pool: string) => {
    const query = `${attributes.queue.name} STARTS_WITH '${waitingPool(pool)}' AND ${isOpen}`;
    return (await calls.within(callSeconds, null, () => calls.client.workflow.count(query))).count;
  };
  return Promise.all(
    [...new Set([...pools, ...waiting.map(({ pool }) => pool)])].map(async (pool) => {
      const there = waiting.filter((one) => one.pool === pool);
      const since = there.map((one) => one.since).sort()[0] ?? null;
      return { pool, queued: next === null ? there.length : await count(pool), since };
    }),
  );
}

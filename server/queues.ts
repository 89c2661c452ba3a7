/** Places of waiting runs in the queues of their pools, asked once a moment for all who look. */
import type { Calls } from '../client/calls.ts';
import { type Queued, queuedBefore, queueOf, type Waiting } from '../client/run-queue.ts';
import type { LiveProgress } from '../contracts/http-answers.ts';
import { AnswerCache } from './answer-cache.ts';

export class Queues {
  readonly #queues = new AnswerCache<Queued[]>(1_500, 100);

  async placeOf(calls: Calls, waiting: Waiting | null): Promise<LiveProgress[]> {
    if (waiting === null) return [];
    const { pool, since } = waiting;
    const queue = await this.#queues.get(pool, () => queueOf(calls, pool));
    return [{ kind: 'waiting', pool, ahead: queuedBefore(queue, waiting).length, since }];
  }
}

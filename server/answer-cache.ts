/** Answers that are the same for everyone for a moment: asked once, however many browsers look. */
import { LRUCache } from 'lru-cache';

/** In a box: the cache takes null for nothing. */
interface Boxed<T> {
  answer: T;
}

export class AnswerCache<T> {
  readonly #answers: LRUCache<string, Boxed<T>, () => Promise<T>>;

  /** `milliseconds` is how old an answer may be; `most` is how many are remembered. */
  constructor(milliseconds: number, most = 100) {
    this.#answers = new LRUCache<string, Boxed<T>, () => Promise<T>>({
      max: most,
      ttl: milliseconds,
      // Looked up anew each time, so that tests can set the clock.
      perf: { now: () => performance.now() },
      // Whoever asked gets the answer, also where others have displaced it meanwhile.
      ignoreFetchAbort: true,
      fetchMethod: async (_key, _stale, { context: ask }) => ({ answer: await ask() }),
    });
  }

  /** A failure is told to all who wait for it, and not remembered. */
  async get(key: string, ask: () => Promise<T>): Promise<T> {
    return (await this.#answers.forceFetch(key, { context: ask })).answer;
  }
}

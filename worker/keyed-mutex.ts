/** Work on one key at a time: the next begins when the one before has ended, however it ended. */
export class KeyedMutex {
  readonly #last = new Map<string, Promise<void>>();

  /** No work is under way or waits for its turn. */
  get isIdle(): boolean {
    return this.#last.size === 0;
  }

  /** Resolves when no work is under way or waits for its turn. */
  async idle(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values());
  }

  /** Throws what `work` throws, or the signal's reason when it was aborted before it could begin. */
  runExclusive<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const mine = (async () => {
      await before;
      signal.throwIfAborted();
      return work();
    })();
    const over = mine.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(key, over);
    void over.then(() => {
      if (this.#last.get(key) === over) this.#last.delete(key);
    });
    return mine;
  }
}

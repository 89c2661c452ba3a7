/** Work on one thing at a time: the next begins when the one before has ended, however it ended. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Resolves when no work is under way or waits for its turn. */
  async idle(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values());
  }

  /** Throws what `work` throws, or the signal's reason when it was aborted before the turn came. */
  take<T>(thing: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(thing);
    const mine = (async () => {
      await before;
      signal.throwIfAborted();
      return work();
    })();
    const over = mine.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(thing, over);
    void over.then(() => {
      if (this.#last.get(thing) === over) this.#last.delete(thing);
    });
    return mine;
  }
}

/** Waiting for a condition that others bring about, and say so. */
export class Wakes {
  readonly #waiting = new Set<() => void>();

  /** Something has changed: whoever waits looks again. */
  wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Returns once it holds. Throws what it throws, and the signal's reason when aborted. */
  async until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      if (condition()) return;
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }
}

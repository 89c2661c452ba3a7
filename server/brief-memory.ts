/** Answers that are the same for everyone for a moment: asked once, however many browsers look. */

interface Remembered<T> {
  answer: Promise<T>;
  at: number;
}

export class BriefMemory<T> {
  readonly #remembered = new Map<string, Remembered<T>>();

  /** `milliseconds` is how old an answer may be; `most` is how many are remembered. */
  constructor(
    readonly milliseconds: number,
    readonly most = 100,
  ) {}

  /** A failure is told to all who wait for it, and not remembered. */
  get(key: string, ask: () => Promise<T>): Promise<T> {
    const known = this.#remembered.get(key);
    if (known && performance.now() - known.at < this.milliseconds) return known.answer;
    const remembered: Remembered<T> = { answer: ask(), at: Number.POSITIVE_INFINITY };
    this.#remembered.delete(key);
    this.#remembered.set(key, remembered);
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size <= this.most) break;
      this.#remembered.delete(oldest);
    }
    remembered.answer.then(
      () => {
        remembered.at = performance.now();
      },
      () => {
        if (this.#remembered.get(key) === remembered) this.#remembered.delete(key);
      },
    );
    return remembered.answer;
  }
}

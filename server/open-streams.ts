/** How many streams each address has open: a page has one, and whoever opens them without end gets no more. */
import { RefusedError } from './refusals.ts';

const mostOfOne = 512;
const mostOfAll = 2_000;

export class OpenStreams {
  readonly #open = new Map<string, number>();

  #all = 0;

  constructor(
    readonly most = mostOfOne,
    readonly mostTogether = mostOfAll,
  ) {}

  /** Answers what is to be called when the stream has ended. Throws RefusedError where the address has as many as it may. */
  take(address: string): () => void {
    const open = this.#open.get(address) ?? 0;
    if (open >= this.most) {
      throw new RefusedError(
        'tooMany',
        `${open} streams are open from this address: close one, at most ${this.most} are allowed`,
      );
    }
    if (this.#all >= this.mostTogether)
      throw new RefusedError('tooMany', `${this.#all} streams are open, and no more are allowed`);
    this.#all++;
    this.#open.set(address, open + 1);
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#all--;
      const left = (this.#open.get(address) ?? 1) - 1;
      if (left > 0) this.#open.set(address, left);
      else this.#open.delete(address);
    };
  }
}

/** Buffers that are used again: one for each part of a large file would wait for the garbage collector. */

export class BufferPool {
  readonly #free: Buffer<ArrayBuffer>[] = [];
  readonly #waiting: ((buffer: Buffer<ArrayBuffer>) => void)[] = [];
  #made = 0;

  constructor(
    readonly most: number,
    readonly bytes: number,
  ) {}

  /** Waits until one is given back, where all are in use. */
  async take(): Promise<Buffer<ArrayBuffer>> {
    const free = this.#free.pop();
    if (free) return free;
    if (this.#made < this.most) {
      this.#made += 1;
      return Buffer.from(new ArrayBuffer(this.bytes));
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  give(buffer: Buffer<ArrayBuffer>): void {
    const next = this.#waiting.shift();
    if (next) next(buffer);
    else this.#free.push(buffer);
  }
}

/** A body whose bytes stop coming, on a connection that stays open. */
import { BucketError } from './bucket.ts';

const idleMs = 60_000;

/** Throws a BucketError `broken` when nothing came for `ms`. */
export async function* idleLimit(bytes: AsyncIterable<Uint8Array>, ms = idleMs): AsyncGenerator<Uint8Array> {
  const iterator = bytes[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await within(iterator.next(), ms);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    // Not waited for: a stream that hangs would hold up who has given it up.
    void iterator.return?.().catch(() => undefined);
  }
}

/** All of `bytes`, in one piece. */
export async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new BucketError('broken', `nothing came for ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

/** Ends a request on which nothing moves any longer. */
export class IdleSignal {
  readonly signal: AbortSignal;
  readonly #idle = new AbortController();
  readonly #timer: NodeJS.Timeout;

  /** `outer`: of whoever asked for it. */
  constructor(
    outer: AbortSignal | undefined,
    readonly ms = idleMs,
  ) {
    this.signal = outer ? AbortSignal.any([outer, this.#idle.signal]) : this.#idle.signal;
    this.#timer = setTimeout(() => this.#idle.abort(), ms);
  }

  /** `work`, which knows no signal. */
  async race<T>(work: Promise<T>): Promise<T> {
    const { signal } = this;
    let abort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(signal.reason);
    });
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    try {
      return await Promise.race([work, aborted]);
    } finally {
      signal.removeEventListener('abort', abort);
      work.catch(() => undefined);
    }
  }

  moved(): void {
    this.#timer.refresh();
  }

  /** Nobody watches any longer; the signal of whoever asked still counts. */
  end(): void {
    clearTimeout(this.#timer);
  }

  /** What to throw in the place of an `error` that this signal has caused. */
  asBroken(error: unknown): unknown {
    return this.#idle.signal.aborted ? new BucketError('broken', `nothing moved for ${this.ms / 1000} s`) : error;
  }
}

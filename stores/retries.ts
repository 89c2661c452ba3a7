/** Tries again what a provider could not do just now: throttled, cut off, damaged on its way. */
import { setTimeout as sleep } from 'node:timers/promises';
import { StoreError } from './artifact-store.ts';
import { BucketError, type BucketTrouble } from './bucket.ts';

export interface RetryPolicy {
  /** Tries in a row that get nowhere. */
  tries: number;
  firstMs: number;
  mostMs: number;
  /** Longer than this nobody waits here, whatever the provider asks for: the activity is tried again by its server. */
  mostRetryAfterMs: number;
  /** A download of which nothing came for so long counts as broken. */
  idleMs: number;
}

/** About a minute in all. */
export const patient: RetryPolicy = {
  tries: 9,
  firstMs: 250,
  mostMs: 15_000,
  mostRetryAfterMs: 60_000,
  idleMs: 60_000,
};

export interface RetryOptions {
  signal?: AbortSignal | undefined;
  /** Told why nothing moves. */
  onWait?: ((why: string) => void) | undefined;
}

const worthAnother: ReadonlySet<BucketTrouble> = new Set(['busy', 'broken', 'damaged']);

/** Counts the tries of one piece of work; `progressed` begins anew, as who gets on may be interrupted any number of times. */
export class Retries {
  #failed = 0;

  constructor(
    /** A clause such as `cannot read s3://bucket/key`. */
    readonly doing: string,
    readonly policy: RetryPolicy,
    readonly options: RetryOptions,
  ) {}

  /** Whether an answer may have been lost: what was asked for may have been done. */
  get isAmbiguous(): boolean {
    return this.#failed > 0;
  }

  progressed(): void {
    this.#failed = 0;
  }

  /** Returns when it is time for the next try. Throws StoreError when there is none, and the signal's reason when aborted. */
  async failed(error: unknown): Promise<void> {
    const { signal, onWait } = this.options;
    signal?.throwIfAborted();
    if (!(error instanceof BucketError) || !worthAnother.has(error.trouble)) throw asStoreError(this.doing, error);
    this.#failed += 1;
    const asked = error.retryAfterMs ?? 0;
    if (this.#failed >= this.policy.tries || asked > this.policy.mostRetryAfterMs)
      throw asStoreError(this.doing, error);
    const backOff = Math.min(this.policy.mostMs, this.policy.firstMs * 2 ** (this.#failed - 1));
    // Spread out: hosts that were throttled together must not come back together.
    const ms = Math.max(asked, backOff * (0.5 + Math.random() / 2));
    onWait?.(`${this.doing}: ${error.message}; trying again in ${Math.ceil(ms / 1000)} s`);
    await sleep(ms, undefined, signal ? { signal } : {}).catch(() => undefined);
    signal?.throwIfAborted();
  }
}

/** `work` until it succeeds. It learns whether an earlier try may have been done without us hearing of it. */
export async function withRetries<T>(
  doing: string,
  policy: RetryPolicy,
  options: RetryOptions,
  work: (isAmbiguous: boolean) => Promise<T>,
): Promise<T> {
  const retries = new Retries(doing, policy, options);
  for (;;) {
    try {
      return await work(retries.isAmbiguous);
    } catch (error) {
      await retries.failed(error);
    }
  }
}

export function asStoreError(doing: string, error: unknown): unknown {
  if (!(error instanceof BucketError)) return error;
  return new StoreError(`${doing}: ${error.message}`, error.trouble !== 'never', { cause: error });
}

/**
 * The prefix of a bucket that is a store, and the keys in it. As a folder it has a mark with its identity, made with it: an endpoint that was
 * changed, or a bucket that was emptied, looks like a store that holds nothing, and must not pass for one.
 */
import { randomUUID } from 'node:crypto';
import { relativePath } from '../contracts/names.ts';
import { experimentsFolder, OtherStoreError, StoreError } from './artifact-store.ts';
import type { Bucket, Call } from './bucket.ts';
import { Retries, type RetryOptions, type RetryPolicy, withRetries } from './retries.ts';
import { sha256Of } from './sha256.ts';
import { collect, idleLimit } from './stalled.ts';
import { identityIn, markName, markText } from './store-mark.ts';

/** What was seen so recently is taken for granted: every call asks. */
const freshMs = 5000;

export class ObjectRoot {
  readonly address: string;
  #seenAt = Number.NEGATIVE_INFINITY;

  /** As `StoreRoot`: `wanted` is the identity of the store that is meant, null when any will do. */
  constructor(
    readonly bucket: Bucket,
    readonly prefix: string,
    readonly isStore: boolean,
    readonly wanted: string | null,
    readonly policy: RetryPolicy,
  ) {
    this.address = `${bucket.address}/${prefix}`;
  }

  /** The key of what is at `path`. Throws StoreError for a path that leads elsewhere, or that the provider does not take. */
  keyOf(path: string): string {
    const parsed = relativePath.safeParse(path);
    const key = `${this.prefix}/${path}`;
    const most = this.bucket.limits.keyBytes - reservedBytes;
    const why = parsed.success
      ? Buffer.byteLength(key) > most
        ? `with the prefix of the store it has more than ${most} bytes`
        : (this.bucket.keyProblem?.(key) ?? null)
      : parsed.error.issues.map(({ message }) => message).join('; ');
    if (why === null) return key;
    throw new StoreError(`path is ${JSON.stringify(path.length > 80 ? `${path.slice(0, 79)}…` : path)}: ${why}`, false);
  }

  pathOf(key: string): string {
    return key.slice(this.prefix.length + 1);
  }

  /** As people read it. */
  shown(path: string): string {
    return `${this.address}/${path}`;
  }

  tried<T>(doing: string, options: RetryOptions, work: (isAmbiguous: boolean) => Promise<T>): Promise<T> {
    return withRetries(doing, this.policy, options, work);
  }

  retries(doing: string, options: RetryOptions): Retries {
    return new Retries(doing, this.policy, options);
  }

  /** Null where there is no mark, or one without an identity. */
  async identity(options: RetryOptions = {}): Promise<string | null> {
    return identityIn((await this.#markText(options)) ?? '');
  }

  /** Makes the mark where there is none, or completes one that a person made by hand. */
  async mark(options: RetryOptions = {}): Promise<void> {
    const text = await this.#markText(options);
    if (text !== null && identityIn(text) !== null) return;
    const bytes = Buffer.from(markText('prefix of a bucket', randomUUID()));
    // Of two hosts that make it at once the first one names it.
    await this.tried(`cannot write ${this.shown(markName)}`, options, () =>
      this.bucket.put(`${this.prefix}/${markName}`, bytes, sha256Of(bytes), { ...options, ifAbsent: text === null }),
    );
  }

  /** Throws StoreError, worth another try, when the store is not there or another one is in its place. */
  async requirePresent(options: RetryOptions = {}): Promise<void> {
    if (performance.now() - this.#seenAt < freshMs) return;
    const text = await this.#markText(options);
    const found = text === null ? null : identityIn(text);
    if (this.isStore && this.wanted !== null && found !== null && found !== this.wanted)
      throw new OtherStoreError(this.address, this.wanted, found);
    if (this.isStore && text === null && !(await this.#holdsRuns(options))) {
      const why = `it has no ${markName}. Are its endpoint and bucket the right ones? Create that object to start anew there`;
      throw new StoreError(`the store ${this.address} is unavailable: ${why}`, true);
    }
    this.#seenAt = performance.now();
  }

  async #holdsRuns(call: Call): Promise<boolean> {
    return this.tried(`cannot list ${this.address}`, call, async () => {
      for await (const _ of this.bucket.list(`${this.prefix}/${experimentsFolder}/`, call)) return true;
      return false;
    });
  }

  async #markText(options: RetryOptions): Promise<string | null> {
    return this.tried(`cannot read ${this.shown(markName)}`, options, async () => {
      const found = await this.bucket.get(`${this.prefix}/${markName}`, { offset: 0, length: mostOfMark }, options);
      if (!found) return null;
      return (await collect(idleLimit(found.bytes, this.policy.idleMs))).toString('utf8');
    });
  }
}

const mostOfMark = 4096;
/** Bytes of a key that are left for what is kept beside a file. */
const reservedBytes = 32;

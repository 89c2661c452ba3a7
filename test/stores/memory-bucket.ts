/** A bucket in memory: it takes any keys, as those of providers do, where a folder of this machine does not. Nothing is uploaded in parts. */
import type { Bucket, BucketBody, BucketObject, ByteRange, PartsBucket, PutOptions } from '../../stores/bucket.ts';
import { ObjectStore } from '../../stores/object-store.ts';
import { patient, type RetryPolicy } from '../../stores/retries.ts';
import { hexOf } from '../../stores/sha256.ts';

export class MemoryBucket implements PartsBucket {
  readonly address = 'memory://bucket';
  readonly keepsDigest = true;
  readonly limits = { keyBytes: 1024, partBytes: 16 << 20, parts: 1, deletes: 100 };
  readonly objects = new Map<string, { bytes: Uint8Array; facts: BucketObject }>();

  async head(key: string): Promise<BucketObject | null> {
    return this.objects.get(key)?.facts ?? null;
  }

  async put(key: string, bytes: Uint8Array, sha256: Uint8Array, options: PutOptions) {
    if (options.ifAbsent && this.objects.has(key)) return null;
    const etag = String(this.objects.size);
    const facts = { size: bytes.length, etag, sha256: hexOf(sha256), composite: null, writer: options.writer ?? null };
    this.objects.set(key, { bytes: Uint8Array.from(bytes), facts });
    return { etag, proved: true };
  }

  async get(key: string, { offset, length }: ByteRange): Promise<BucketBody | null> {
    const found = this.objects.get(key);
    if (!found) return null;
    const bytes = found.bytes.subarray(offset, length === undefined ? undefined : offset + length);
    return { ...found.facts, bytes: this.sent(key, bytes) };
  }

  async *sent(_key: string, bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    yield bytes;
  }

  async *list(prefix: string, _call: object, after = '') {
    for (const key of [...this.objects.keys()].sort())
      if (key.startsWith(prefix) && key > after) yield { key, size: this.objects.get(key)?.bytes.length ?? 0 };
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.objects.delete(key);
  }

  async *uploads(): AsyncGenerator<never> {}

  now = () => Date.now();
  beginUpload = () => inParts();
  parts = () => inParts();
  putPart = () => inParts();
  completeUpload = () => inParts();
  abortUpload = () => inParts();
}

const inParts = (): never => {
  throw new Error('a bucket in memory takes no parts');
};

export const storeIn = (bucket: Bucket, retries: RetryPolicy = patient): ObjectStore =>
  new ObjectStore({ bucket, prefix: 'store', isStore: true, identity: null, retries });

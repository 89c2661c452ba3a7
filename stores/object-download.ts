/** Reads an object, from where a connection broke off if need be. */
import { type BucketBody, BucketError, type BucketObject, type ByteRange } from './bucket.ts';
import type { ObjectRoot } from './object-root.ts';
import { asStoreError, Retries, type RetryOptions } from './retries.ts';
import { idleLimit } from './stalled.ts';

export interface OpenedObject {
  object: BucketObject;
  /** Exactly those that were asked for. Throws StoreError. */
  bytes: AsyncIterable<Uint8Array>;
}

/** Null when there is no such object. */
export async function openObject(
  root: ObjectRoot,
  path: string,
  range: Pick<ByteRange, 'offset' | 'length'>,
  options: RetryOptions,
): Promise<OpenedObject | null> {
  const key = root.keyOf(path);
  const doing = `cannot read ${root.shown(path)}`;
  const found = await root.tried(doing, options, () => root.bucket.get(key, range, options));
  if (!found) return null;
  return { object: found, bytes: allBytes(root, key, doing, found, range, options) };
}

async function* allBytes(
  { bucket, policy }: ObjectRoot,
  key: string,
  doing: string,
  first: BucketBody,
  { offset, length }: Pick<ByteRange, 'offset' | 'length'>,
  options: RetryOptions,
): AsyncGenerator<Uint8Array> {
  const { size, etag } = first;
  const end = Math.max(offset, length === undefined ? size : Math.min(size, offset + length));
  const retries = new Retries(doing, policy, options);
  let at = offset;
  let body: BucketBody | null = first;
  for (;;) {
    try {
      // Of the same version: half of one object and half of another would be neither.
      body ??= await bucket.get(key, { offset: at, length: end - at, etag }, options);
      if (!body) throw new BucketError('gone', 'the object was removed while it was read');
      for await (const chunk of idleLimit(body.bytes, policy.idleMs)) {
        if (at + chunk.length > end) throw new BucketError('damaged', 'more bytes came than were asked for');
        at += chunk.length;
        retries.progressed();
        yield chunk;
      }
      if (at === end) return;
      throw new BucketError('broken', `the connection broke off after ${at - offset} of ${end - offset} bytes`);
    } catch (error) {
      if (body !== null && at === end && !options.signal?.aborted) {
        // What was handed out cannot be read again.
        if (error instanceof BucketError && error.trouble === 'damaged') throw asStoreError(doing, error);
        // All of it came, whatever became of the connection then.
        return;
      }
      body = null;
      await retries.failed(error);
    }
  }
}

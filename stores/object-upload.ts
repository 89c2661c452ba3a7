/**
 * Puts a file into a bucket: in one piece, or in parts, several at a time and each checked by the provider. The file is read once. What a
 * crash left of an upload is taken up where its parts are those of this file. Where there are no parts, a large file goes in one request.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { StoreError } from './artifact-store.ts';
import { BucketError, type PartsBucket, type UploadedPart, type WholeFileBucket } from './bucket.ts';
import { BufferPool } from './buffer-pool.ts';
import type { FileDigest } from './file-digest.ts';
import { storeError } from './file-errors.ts';
import type { ObjectRoot } from './object-root.ts';
import { proofOfParts } from './part-proof.ts';
import type { RetryOptions } from './retries.ts';
import { hexOf, sha256Of, sha256OfMany } from './sha256.ts';

/** Parts on their way at once: with one more that is read, what an upload takes in memory. */
const atOnce = 4;
/** Uploads of one file that somebody else has ended or completed meanwhile. */
const mostAttempts = 4;

export interface Upload extends FileDigest {
  etag: string | null;
  /** False: the provider said nothing of what it has checked, and the copy has to be read back. */
  proved: boolean;
  parts: number;
}

export interface UploadOptions extends RetryOptions {
  onBytes?: ((bytes: number) => void) | undefined;
}

/** Uploads of this process, which nobody else here takes up. */
const ours = new Set<string>();

export async function uploadFile(
  root: ObjectRoot,
  path: string,
  file: FileHandle,
  size: number,
  options: UploadOptions,
): Promise<Upload> {
  const { bucket } = root;
  if (size <= bucket.limits.partBytes) {
    const bytes = Buffer.allocUnsafe(size);
    if ((await fill(file, bytes, 0)) < size || (await isLonger(file, size))) throw changed(path);
    const upload = await uploadBytes(root, path, bytes, options);
    options.onBytes?.(size);
    return upload;
  }
  let told = 0;
  // Parts that are sent again do not move the file any further.
  const onBytes = (sent: number) => {
    if (sent > told) options.onBytes?.(sent - told);
    told = Math.max(told, sent);
  };
  if (bucket.putFile) return uploadWhole(root, bucket, path, file, size, { ...options, onBytes });
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await uploadParts(root, bucket, path, file, size, attempt === 1, { ...options, onBytes });
    } catch (error) {
      if (!isGone(error) || attempt === mostAttempts) throw error;
    }
  }
}

export async function uploadBytes(
  root: ObjectRoot,
  path: string,
  bytes: Uint8Array,
  options: RetryOptions,
): Promise<Upload> {
  const key = root.keyOf(path);
  const sha256 = sha256Of(bytes);
  const proof = await root.tried(`cannot write ${root.shown(path)}`, options, () =>
    root.bucket.put(key, bytes, sha256, options),
  );
  return {
    size: bytes.length,
    sha256: hexOf(sha256),
    etag: proof?.etag ?? null,
    proved: proof?.proved ?? false,
    parts: 1,
  };
}

/** `onBytes` hears how much of the file is sent. */
type SendOptions = Omit<UploadOptions, 'onBytes'> & { onBytes: (sent: number) => void };

/** Bytes of a file that are read at once. */
const chunkBytes = 1 << 20;

async function uploadWhole(
  root: ObjectRoot,
  bucket: WholeFileBucket,
  path: string,
  file: FileHandle,
  size: number,
  options: SendOptions,
): Promise<Upload> {
  const read = async function* () {
    for (let sent = 0; sent < size; ) {
      const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, size - sent));
      const filled = await fill(file, chunk, sent);
      const isLast = sent + chunk.length === size;
      // Before the last of it is sent, so that nothing is there of a file that changed.
      if (filled < chunk.length || (isLast && (await isLonger(file, size)))) throw changed(path);
      sent += chunk.length;
      options.onBytes(sent);
      yield chunk;
    }
  };
  const { sha256, ...proof } = await root.tried(`cannot write ${root.shown(path)}`, options, () =>
    bucket.putFile(root.keyOf(path), { size, read }, options),
  );
  return { size, sha256: hexOf(sha256), ...proof, parts: 1 };
}

async function uploadParts(
  root: ObjectRoot,
  bucket: PartsBucket,
  path: string,
  file: FileHandle,
  size: number,
  takeUp: boolean,
  options: SendOptions,
): Promise<Upload> {
  const key = root.keyOf(path);
  const doing = `cannot write ${root.shown(path)}`;
  const partBytes = partSize(size, bucket.limits);
  const isOfFile = (uploaded: readonly UploadedPart[]) => areOfFile(uploaded, file, size, partBytes);
  const left = takeUp ? await leftUpload(root, bucket, key, doing, isOfFile, options) : null;
  const upload = left?.upload ?? (await root.tried(doing, options, () => bucket.beginUpload(key, options)));
  ours.add(upload);
  const broken = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, broken.signal]) : broken.signal;
  const buffers = new BufferPool(atOnce + 1, partBytes);
  const sending = new Map<number, Promise<void>>();
  const parts: UploadedPart[] = [];
  const whole = createHash('sha256');
  let failure: { error: unknown } | null = null;
  let sent = 0;
  const send = async (number: number, buffer: Buffer<ArrayBuffer>, length: number) => {
    try {
      const bytes = buffer.subarray(0, length);
      const sha256 = await sha256OfMany(bytes);
      const there = left?.parts.get(number);
      parts[number - 1] = isPart(there, bytes, sha256)
        ? there
        : await root.tried(doing, { ...options, signal }, () =>
            bucket.putPart(key, upload, number, bytes, sha256, { signal }),
          );
      sent += length;
      options.onBytes(sent);
    } catch (error) {
      failure ??= { error };
      broken.abort(error);
    } finally {
      sending.delete(number);
      buffers.give(buffer);
    }
  };
  try {
    let read = 0;
    for (let number = 1; read < size && !failure; number += 1) {
      const buffer = await buffers.take();
      if (failure) break;
      options.signal?.throwIfAborted();
      const length = await fill(file, buffer.subarray(0, Math.min(partBytes, size - read)), read);
      if (length < Math.min(partBytes, size - read)) throw changed(path);
      whole.update(buffer.subarray(0, length));
      read += length;
      sending.set(number, send(number, buffer, length));
    }
    await Promise.all(sending.values());
    if (failure) throw (failure as { error: unknown }).error;
    if (await isLonger(file, size)) throw changed(path);
    const sha256 = whole.digest();
    const proof = await complete(root, bucket, key, doing, upload, parts, size, sha256, options);
    return { size, sha256: hexOf(sha256), ...proof, parts: parts.length };
  } finally {
    broken.abort();
    // A buffer that is still sent must not be given to another upload, and no failure go unheard.
    await Promise.all(sending.values());
    ours.delete(upload);
  }
}

/** Whether a part that is there has these bytes. */
const isPart = (there: UploadedPart | undefined, bytes: Uint8Array, sha256: Uint8Array): there is UploadedPart =>
  there?.size === bytes.length &&
  there.sha256 !== null &&
  Buffer.compare(there.sha256, sha256) === 0 &&
  (!there.md5 || Buffer.compare(there.md5, createHash('md5').update(bytes).digest()) === 0);

/** What is there under this name becomes the object. */
async function complete(
  root: ObjectRoot,
  bucket: PartsBucket,
  key: string,
  doing: string,
  upload: string,
  parts: readonly UploadedPart[],
  size: number,
  sha256: Uint8Array,
  options: RetryOptions,
): Promise<{ etag: string | null; proved: boolean }> {
  const expected = proofOfParts(parts);
  const asCompleted = async () => {
    const found = await bucket.head(key, options);
    if (found?.size !== size) return null;
    const isOurs = found.sha256 === hexOf(sha256) || (found.composite !== null && found.composite === expected);
    return isOurs ? { etag: found.etag, proved: true } : null;
  };
  return root.tried(doing, options, async () => {
    try {
      const proof = await bucket.completeUpload(key, upload, parts, { signal: options.signal, sha256 });
      return proof.proved && proof.etag ? proof : ((await asCompleted()) ?? { etag: proof.etag, proved: false });
    } catch (error) {
      // Its answer was lost, or another process has completed the same.
      const done = isGone(error) ? await asCompleted() : null;
      if (done) return done;
      throw error;
    }
  });
}

/** Uploads of a key that are looked into, newest first. */
const mostLooked = 8;

/** The newest upload of this key whose parts are those of the file, and that nobody in this process is at. */
async function leftUpload(
  root: ObjectRoot,
  bucket: PartsBucket,
  key: string,
  doing: string,
  isOfFile: (parts: readonly UploadedPart[]) => Promise<boolean>,
  options: RetryOptions,
) {
  return root.tried(doing, options, async () => {
    const found: { upload: string; begunAt: number }[] = [];
    for await (const one of bucket.uploads(key, options))
      if (one.key === key && !ours.has(one.upload))
        found.push({ upload: one.upload, begunAt: one.begunAt?.getTime() ?? 0 });
    for (const { upload } of found.sort((a, b) => b.begunAt - a.begunAt).slice(0, mostLooked)) {
      const parts = await bucket.parts(key, upload, options);
      if (parts && (!bucket.hasForeignUploads || (await isOfFile(parts))))
        return { upload, parts: new Map(parts.map((part) => [part.number, part])) };
    }
    return null;
  });
}

/**
 * Whether an upload is of this file, cut as we cut it. Another tool may be at one of the same key, which must not get our parts: without
 * parts nobody can tell, and it is left alone. One part is read here; each of the others is compared when it is its turn to be sent.
 */
async function areOfFile(
  parts: readonly UploadedPart[],
  file: FileHandle,
  size: number,
  partBytes: number,
): Promise<boolean> {
  const [first] = parts;
  const fits = (part: UploadedPart) =>
    part.sha256 !== null && part.size === Math.min(partBytes, size - (part.number - 1) * partBytes);
  if (first === undefined || !parts.every(fits)) return false;
  const bytes = Buffer.allocUnsafe(first.size);
  const filled = await fill(file, bytes, (first.number - 1) * partBytes);
  return (
    filled === first.size && first.sha256 !== null && Buffer.compare(first.sha256, await sha256OfMany(bytes)) === 0
  );
}

const MiB = 1 << 20;

/** The same for the same size, so that parts are found again. */
export const partSize = (size: number, limits: { partBytes: number; parts: number }): number =>
  Math.max(limits.partBytes, Math.ceil(size / limits.parts / MiB) * MiB);

/** Reads until `buffer` is full or the file ends; answers how much. */
async function fill(file: FileHandle, buffer: Uint8Array, position: number): Promise<number> {
  let filled = 0;
  try {
    while (filled < buffer.length) {
      const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
  } catch (error) {
    throw storeError('cannot read the file to store', error);
  }
  return filled;
}

const isLonger = async (file: FileHandle, size: number) => (await fill(file, Buffer.alloc(1), size)) > 0;

const changed = (path: string) => new StoreError(`the file for ${path} changed while it was stored`, true);

const isGone = (error: unknown): boolean =>
  (error instanceof BucketError && error.trouble === 'gone') ||
  (error instanceof StoreError && error.cause !== undefined && isGone(error.cause));

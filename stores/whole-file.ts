/** Files that are whole under their name or not there: written beside it, flushed, read back; opened as what they are. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { type StoredPart, StoreError, type TransferOptions } from './artifact-store.ts';
import { digestFile, type FileDigest } from './file-digest.ts';
import { codeOf, storeError } from './file-errors.ts';

const bufferBytes = 1 << 20;

export type Sink = (bytes: Uint8Array) => Promise<void>;
export type Fill = (sink: Sink) => Promise<void>;

/** Writes a new file, flushes it, reads it back. Throws StoreError when it reads back other than it was written. */
export async function writeWhole(file: string, fill: Fill, options: TransferOptions): Promise<FileDigest> {
  const hash = createHash('sha256');
  let size = 0;
  await withFile(file, newFile, async (target) => {
    await fill(async (bytes) => {
      hash.update(bytes);
      await writeAll(target, bytes);
      size += bytes.length;
      options.onBytes?.(bytes.length);
    });
    await target.sync();
    await dateBack(target);
  });
  const written = { size, sha256: hash.digest('hex') };
  const readBack = await digestFile(file, { signal: options.signal });
  if (isSame(readBack, written)) return written;
  throw new StoreError(
    `the copy reads back as ${shownDigest(readBack)} where ${shownDigest(written)} was written`,
    true,
  );
}

/** So that whoever else writes to it gives it another time, however soon that is (`KnownDigests`). Not every file system lets us. */
async function dateBack(file: FileHandle): Promise<void> {
  const time = Date.now() / 1000 - 1;
  await file.utimes(time, time).catch(() => undefined);
}

/** `size`: what it has to have. Most files are small: whoever takes a megabyte for each collects garbage all the time. */
export async function copyFrom(
  source: FileHandle,
  { name, size }: { name: string; size: number },
  sink: Sink,
  { signal }: TransferOptions,
): Promise<void> {
  // One byte more finds the end.
  const buffer = Buffer.allocUnsafe(Math.min(size + 1, bufferBytes));
  for (let position = 0; ; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await source.read(buffer, 0, buffer.length, position).catch((error: unknown) => {
      throw storeError(`cannot read ${name}`, error);
    });
    if (bytesRead === 0) return;
    await sink(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
}

export async function partOf(file: FileHandle, offset: number, length: number): Promise<StoredPart> {
  const { size } = await file.stat();
  const buffer = Buffer.alloc(Math.max(0, Math.min(length, size - offset)));
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return { bytes: buffer.subarray(0, filled), size };
}

export async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    written += (await handle.write(bytes, written, bytes.length - written)).bytesWritten;
  }
}

export const newFile = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;

export async function withFile<T>(path: string, flags: number, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, flags, 0o666);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

/** Opens for reading. A pipe in its place must not hang us, nor a link lead us somewhere else. */
export async function withRegularFile<T>(
  path: string,
  work: (file: FileHandle, size: number) => Promise<T>,
): Promise<T> {
  const doing = `cannot read ${path}`;
  const opened = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW).catch(
    (error: unknown) => {
      // The caller's own file is missing: no store can mend that.
      if (codeOf(error) === 'ENOENT')
        throw new StoreError(`${doing}: it does not exist (ENOENT)`, false, { cause: error });
      if (codeOf(error) === 'ELOOP') throw new StoreError(`${doing}: it is a symbolic link`, false, { cause: error });
      throw storeError(doing, error);
    },
  );
  try {
    const found = await opened.stat();
    if (!found.isFile()) throw new StoreError(`${doing}: it is not a regular file`, false);
    return await work(opened, found.size);
  } finally {
    await opened.close();
  }
}

export async function syncFolder(folder: string): Promise<void> {
  await withFile(folder, constants.O_RDONLY | constants.O_DIRECTORY, (opened) =>
    opened.sync().catch((error: unknown) => {
      // Some network file systems cannot flush a folder; their rename is durable by itself or not at all.
      if (codeOf(error) !== 'EINVAL' && codeOf(error) !== 'ENOTSUP') throw error;
    }),
  );
}

export async function entryAt(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null;
    throw storeError(`cannot read ${path}`, error);
  }
}

export const isSame = (a: FileDigest, b: FileDigest): boolean => a.size === b.size && a.sha256 === b.sha256;
export const shownDigest = ({ size, sha256 }: FileDigest): string =>
  `${size} bytes with sha256 ${sha256.slice(0, 12)}…`;

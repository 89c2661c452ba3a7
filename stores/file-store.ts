/**
 * A store in a folder: local, or a network mount.
 *
 * A file grows under a hidden name beside its final one, is flushed, read back, and renamed: under its final name there
 * is only ever a whole, verified file, whatever dies in between.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  opendir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  rmdir,
} from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { relativePath } from '../contracts/names.ts';
import type { PublishedFile } from '../contracts/receipt.ts';
import { type ArtifactStore, type StoredPart, StoreError, type TransferOptions } from './artifact-store.ts';
import { digestFile, type FileDigest } from './file-digest.ts';
import { codeOf, storeError } from './file-errors.ts';
import { isPartFile, removeIfStale, removeStaleParts, withPartFile } from './part-file.ts';

const bufferBytes = 1 << 20;

export class FileStore implements ArtifactStore {
  readonly address: string;

  /** `folder` is absolute. It is made by the first write; the folder that it is in must be there. */
  constructor(folder: string) {
    if (folder.includes('\0')) throw new StoreError('its path has a NUL character', false);
    this.address = resolve(folder);
  }

  async checkWritable(): Promise<void> {
    await guarded(`cannot write in ${this.address}`, async () => {
      const root = await this.#root(true);
      const probe = join(root, 'writable');
      await withPartFile(probe, async (part) => {
        await removeStaleParts(probe);
        // A full disk takes a new name but no bytes.
        await withFile(part, newFile, async (file) => {
          await writeAll(file, Buffer.alloc(4096));
          await file.sync();
        });
      });
    });
  }

  async publish(localFile: string, path: string, options: TransferOptions = {}): Promise<PublishedFile> {
    return withRegularFile(localFile, async (source) => {
      const { size } = await source.stat();
      const digest = () => digestFile(localFile, { signal: options.signal });
      return this.#put(path, size, digest, (sink) => copyFrom(source, localFile, sink, options), options);
    });
  }

  async write(path: string, content: string | Uint8Array): Promise<PublishedFile> {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    const digest = () =>
      Promise.resolve({ size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
    return this.#put(path, bytes.length, digest, (sink) => sink(bytes), {});
  }

  async fetch(
    path: string,
    localFile: string,
    expected: Pick<PublishedFile, 'size' | 'sha256'>,
    options: TransferOptions = {},
  ): Promise<void> {
    const source = await this.#existing(path);
    if (!source) throw new StoreError(`cannot fetch ${this.#shown(path)}: it does not exist`, false);
    if (await entryAt(localFile)) throw new StoreError(`cannot fetch to ${localFile}: it exists already`, false);
    await guarded(
      `cannot fetch ${this.#shown(path)} to ${localFile}`,
      async () => {
        await removeStaleParts(localFile);
        await withPartFile(localFile, async (part) => {
          const fill: Fill = (sink) => withRegularFile(source, (from) => copyFrom(from, source, sink, options));
          const copied = await writeWhole(part, fill, options);
          if (!isSame(copied, expected)) {
            const found = `${shownDigest(copied)} where ${shownDigest(expected)} is expected`;
            throw new StoreError(`${this.#shown(path)} is damaged: ${found}`, false);
          }
          await rename(part, localFile);
        });
        await syncFolder(dirname(localFile));
      },
      options.signal,
    );
  }

  async read(path: string): Promise<Uint8Array | null> {
    const file = await this.#existing(path);
    return file === null ? null : guarded(`cannot read ${this.#shown(path)}`, () => readFile(file));
  }

  async readPart(path: string, offset: number, length: number): Promise<StoredPart | null> {
    const file = await this.#existing(path);
    if (file === null) return null;
    return guarded(`cannot read ${this.#shown(path)}`, () =>
      withRegularFile(file, (opened) => partOf(opened, offset, length)),
    );
  }

  async verify(path: string, options: TransferOptions = {}): Promise<PublishedFile | null> {
    const file = await this.#existing(path);
    if (file === null) return null;
    return guarded(
      `cannot read ${this.#shown(path)}`,
      async () => ({ path, ...(await digestFile(file, options)) }),
      options.signal,
    );
  }

  async *list(folder: string): AsyncIterable<{ path: string; size: number }> {
    const path = checkedPath(folder);
    const start = await guarded(`cannot list ${this.#shown(path)}`, () => this.#resolve(path));
    if (start === null || !(await entryAt(start))?.isDirectory()) return;
    yield* filesBelow(start, path);
  }

  async remove(path: string): Promise<void> {
    checkedPath(path);
    await guarded(`cannot remove ${this.#shown(path)}`, async () => {
      const parent = await this.#resolve(dirname(path));
      if (parent === null) return;
      // A symbolic link at the end goes itself, not what it points to.
      await rm(join(parent, basename(path)), { recursive: true, force: true });
      await syncFolder(parent);
    });
  }

  async tidy(folder: string): Promise<void> {
    const path = checkedPath(folder);
    await guarded(`cannot tidy ${this.#shown(path)}`, async () => {
      const start = await this.#resolve(path);
      if (start !== null && (await entryAt(start))?.isDirectory()) await tidyBelow(start);
    });
  }

  /**
   * Puts what `fill` writes under `path`, unless the same is there already. `digest` is asked for only when a file of
   * the same size is there.
   */
  async #put(
    path: string,
    size: number,
    digest: () => Promise<FileDigest>,
    fill: Fill,
    options: TransferOptions,
  ): Promise<PublishedFile> {
    checkedPath(path);
    return guarded(
      `cannot write ${this.#shown(path)}`,
      async () => {
        const folder = await this.#folderFor(path);
        const target = join(folder, basename(path));
        await removeStaleParts(target);
        const before = await entryAt(target);
        if (before?.isDirectory()) throw new StoreError(`cannot write ${this.#shown(path)}: a folder is there`, false);
        if (before?.isFile() && before.size === size) {
          // Read what is there first: it is the one that may be damaged.
          const there = await digestFile(target, { signal: options.signal });
          if (isSame(there, await digest())) {
            options.onBytes?.(size);
            return { path, ...there };
          }
        }
        return withPartFile(target, async (part) => {
          const copied = await writeWhole(part, fill, options);
          await rename(part, target);
          await syncFolder(folder);
          return { path, ...copied };
        });
      },
      options.signal,
    );
  }

  /** The folder that the file at `path` is in, made if need be, as a real path inside the store. */
  async #folderFor(path: string): Promise<string> {
    let folder = await this.#root(true);
    const root = folder;
    for (const part of path.split('/').slice(0, -1)) {
      const next = join(folder, part);
      const isNew = await mkdir(next).then(
        () => true,
        (error) => {
          if (codeOf(error) === 'EEXIST') return false;
          throw error;
        },
      );
      if (isNew) await syncFolder(folder);
      folder = isNew ? next : await realpath(next);
      this.#requireInside(root, folder, path);
      // What is not a folder fails with the next mkdir, or here for the last part.
    }
    return folder;
  }

  /** The real path of what is at `path` now, inside the store; null when there is nothing. */
  async #resolve(path: string): Promise<string | null> {
    try {
      const root = await this.#root(false);
      const real = await realpath(join(root, path));
      this.#requireInside(root, real, path);
      return real;
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null;
      throw error;
    }
  }

  /** The real path of the regular file at `path`, or null. */
  async #existing(path: string): Promise<string | null> {
    checkedPath(path);
    return guarded(`cannot read ${this.#shown(path)}`, async () => {
      const real = await this.#resolve(path);
      if (real === null) return null;
      const entry = await entryAt(real);
      if (entry && !entry.isFile()) throw new StoreError(`cannot read ${this.#shown(path)}: it is no file`, false);
      return entry ? real : null;
    });
  }

  /** Made when it is missing, but not the folders above it: a mount that is away must not be written beside. */
  async #root(create: boolean): Promise<string> {
    try {
      return await realpath(this.address);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || !create) throw error;
    }
    const parent = dirname(this.address);
    try {
      await mkdir(this.address);
    } catch (error) {
      if (codeOf(error) === 'ENOENT')
        throw new StoreError(`cannot make ${this.address}: ${parent} does not exist`, true, { cause: error });
      // Another process was faster.
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    await syncFolder(parent);
    return realpath(this.address);
  }

  #requireInside(root: string, real: string, path: string): void {
    if (real === root || real.startsWith(root.endsWith(sep) ? root : root + sep)) return;
    throw new StoreError(`${this.#shown(path)} leads out of the store through a symbolic link, to ${real}`, false);
  }

  #shown(path: string): string {
    return join(this.address, path);
  }
}

type Sink = (bytes: Uint8Array) => Promise<void>;
type Fill = (sink: Sink) => Promise<void>;

function checkedPath(path: string): string {
  const parsed = relativePath.safeParse(path);
  if (parsed.success) return path;
  const shown = JSON.stringify(path.length > 80 ? `${path.slice(0, 79)}…` : path);
  throw new StoreError(`path is ${shown}: ${parsed.error.issues.map(({ message }) => message).join('; ')}`, false);
}

/** Writes a new file, flushes it, reads it back. Throws StoreError when it reads back other than it was written. */
async function writeWhole(file: string, fill: Fill, options: TransferOptions): Promise<FileDigest> {
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
  });
  const written = { size, sha256: hash.digest('hex') };
  const readBack = await digestFile(file, { signal: options.signal });
  if (isSame(readBack, written)) return written;
  throw new StoreError(
    `the copy reads back as ${shownDigest(readBack)} where ${shownDigest(written)} was written`,
    true,
  );
}

async function copyFrom(source: FileHandle, name: string, sink: Sink, { signal }: TransferOptions): Promise<void> {
  const buffer = Buffer.allocUnsafe(bufferBytes);
  for (let position = 0; ; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await source.read(buffer, 0, bufferBytes, position).catch((error: unknown) => {
      throw storeError(`cannot read ${name}`, error);
    });
    if (bytesRead === 0) return;
    await sink(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
}

async function partOf(file: FileHandle, offset: number, length: number): Promise<StoredPart> {
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

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    written += (await handle.write(bytes, written, bytes.length - written)).bytesWritten;
  }
}

const newFile = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;

async function withFile<T>(path: string, flags: number, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, flags, 0o666);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

/** Opens for reading. A pipe in its place must not hang us, hence O_NONBLOCK. */
async function withRegularFile<T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const doing = `cannot read ${path}`;
  const opened = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    // The caller's own file is missing: no store can mend that.
    if (codeOf(error) === 'ENOENT')
      throw new StoreError(`${doing}: it does not exist (ENOENT)`, false, { cause: error });
    throw storeError(doing, error);
  });
  try {
    if (!(await opened.stat()).isFile()) throw new StoreError(`${doing}: it is no regular file`, false);
    return await work(opened);
  } finally {
    await opened.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  await withFile(folder, constants.O_RDONLY | constants.O_DIRECTORY, (opened) =>
    opened.sync().catch((error: unknown) => {
      // Some network file systems cannot flush a folder; their rename is durable by itself or not at all.
      if (codeOf(error) !== 'EINVAL' && codeOf(error) !== 'ENOTSUP') throw error;
    }),
  );
}

async function entryAt(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null;
    throw storeError(`cannot read ${path}`, error);
  }
}

async function* filesBelow(folder: string, path: string): AsyncGenerator<{ path: string; size: number }> {
  const entries: { name: string; order: string; isFolder: boolean }[] = [];
  try {
    for await (const entry of await opendir(folder)) {
      // Symbolic links are followed by nobody here, so that a listing stays inside the store.
      if (isPartFile(entry.name) || !(entry.isFile() || entry.isDirectory())) continue;
      const isFolder = entry.isDirectory();
      entries.push({ name: entry.name, isFolder, order: isFolder ? `${entry.name}/` : entry.name });
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw storeError(`cannot list ${folder}`, error);
  }
  entries.sort((a, b) => (a.order < b.order ? -1 : 1));
  for (const { name, isFolder } of entries) {
    if (isFolder) yield* filesBelow(join(folder, name), `${path}/${name}`);
    else {
      const entry = await entryAt(join(folder, name));
      if (entry) yield { path: `${path}/${name}`, size: entry.size };
    }
  }
}

/** Deepest first, so that a folder of empty folders goes, too. */
async function tidyBelow(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const inside = join(folder, entry.name);
    if (entry.isFile() && isPartFile(entry.name)) await removeIfStale(inside);
    if (!entry.isDirectory()) continue;
    await tidyBelow(inside);
    // Only an empty folder goes; what was put into it a moment ago keeps it.
    await rmdir(inside).catch((error: unknown) => {
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(codeOf(error) ?? '')) throw error;
    });
  }
}

const isSame = (a: FileDigest, b: FileDigest): boolean => a.size === b.size && a.sha256 === b.sha256;
const shownDigest = ({ size, sha256 }: FileDigest): string => `${size} bytes with sha256 ${sha256.slice(0, 12)}…`;

/** Errors of the file system become StoreErrors that begin with `doing`; an abort stays what the signal says. */
async function guarded<T>(doing: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal?.throwIfAborted();
    throw storeError(doing, error);
  }
}

/**
 * A store in a folder: local, or a network mount.
 *
 * A file grows under a hidden name beside its final one, is flushed, read back, and renamed: under its final name there
 * is only ever a whole, verified file, whatever dies in between.
 */
import { constants } from 'node:fs';
import { copyFile, link, opendir, readdir, readFile, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { relativePath } from '../contracts/names.ts';
import type { PublishedFile } from '../contracts/receipt.ts';
import type { CopyProof } from '../contracts/receipt-facts.ts';
import {
  type ArtifactStore,
  DamagedError,
  type StoredPart,
  StoreError,
  type TransferOptions,
} from './artifact-store.ts';
import { CopyProofs } from './copy-proofs.ts';
import { digestFile, type FileDigest } from './file-digest.ts';
import { codeOf, guarded, storeError } from './file-errors.ts';
import { KnownDigests } from './known-digests.ts';
import { isPartFile, removeIfStale, removeStaleParts, renamePart, withPartFile } from './part-file.ts';
import { removeTree } from './remove-tree.ts';
import { sha256Hex } from './sha256.ts';
import { markName } from './store-mark.ts';
import { StoreRoot } from './store-root.ts';
import {
  copyFrom,
  entryAt,
  type Fill,
  isSame,
  newFile,
  partOf,
  shownDigest,
  syncFolder,
  withFile,
  withRegularFile,
  writeAll,
  writeWhole,
} from './whole-file.ts';

export class FileStore implements ArtifactStore {
  readonly address: string;
  readonly #root: StoreRoot;
  readonly #proofs = new CopyProofs();
  readonly #known = new KnownDigests();

  /**
   * `folder` is absolute. `isStore` is false for a folder out of a store, or a copy of one, to read from. `identity` is that of
   * the store that is meant: with another one in its place every call throws OtherStoreError.
   */
  constructor(folder: string, isStore: boolean, identity: string | null = null) {
    if (folder.includes('\0')) throw new StoreError('its path has a NUL character', false);
    this.address = resolve(folder);
    this.#root = new StoreRoot(this.address, isStore, identity);
  }

  async prepare(isKnown: boolean): Promise<void> {
    await guarded(`cannot write in ${this.address}`, async () => {
      await this.#requireKnown(isKnown);
      await probe(await this.#root.make());
      await this.#root.mark();
    });
  }

  async identity(): Promise<string | null> {
    return guarded(`cannot read ${this.#root.shown(markName)}`, async () => {
      await this.#root.requirePresent();
      return this.#root.identity();
    });
  }

  async checkWritable(isKnown: boolean): Promise<void> {
    await guarded(`cannot write in ${this.address}`, async () => {
      await this.#requireKnown(isKnown);
      if (await entryAt(this.address)) await probe(await this.#root.make());
      else await this.#root.requireMakeable();
    });
  }

  async #requireKnown(isKnown: boolean): Promise<void> {
    if (isKnown || this.#root.wanted !== null) await this.#root.requirePresent();
  }

  async publish(localFile: string, path: string, options: TransferOptions = {}): Promise<PublishedFile> {
    return withRegularFile(localFile, async (source, size) => {
      const digest = () => digestFile(localFile, { signal: options.signal });
      return this.#put(
        path,
        size,
        digest,
        (sink) => copyFrom(source, { name: localFile, size }, sink, options),
        options,
      );
    });
  }

  async write(path: string, content: string | Uint8Array): Promise<PublishedFile> {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    const digest = () => Promise.resolve({ size: bytes.length, sha256: sha256Hex(bytes) });
    return this.#put(path, bytes.length, digest, (sink) => sink(bytes), {});
  }

  async create(path: string, content: string): Promise<boolean> {
    checkedPath(path);
    return guarded(`cannot write ${this.#root.shown(path)}`, async () => {
      const folder = await this.#root.folderFor(path);
      const target = join(folder, basename(path));
      return withPartFile(target, async (part) => {
        await removeStaleParts(target);
        const bytes = Buffer.from(content);
        await writeWhole(part, (sink) => sink(bytes), {});
        const isFirst = await createFrom(part, target);
        await syncFolder(folder);
        return isFirst;
      });
    });
  }

  async fetch(
    path: string,
    localFile: string,
    expected: Pick<PublishedFile, 'size' | 'sha256'>,
    options: TransferOptions = {},
  ): Promise<void> {
    const source = await this.#existing(path);
    if (!source) throw new StoreError(`cannot fetch ${this.#root.shown(path)}: it does not exist`, false);
    if (await entryAt(localFile)) throw new StoreError(`cannot fetch to ${localFile}: it exists already`, false);
    await guarded(
      `cannot fetch ${this.#root.shown(path)} to ${localFile}`,
      async () => {
        await removeStaleParts(localFile);
        await withPartFile(localFile, async (part) => {
          const fill: Fill = (sink) =>
            withRegularFile(source, (from, size) => copyFrom(from, { name: source, size }, sink, options));
          const copied = await writeWhole(part, fill, options);
          if (!isSame(copied, expected)) {
            const found = `${shownDigest(copied)} where ${shownDigest(expected)} is expected`;
            throw new DamagedError(`${this.#root.shown(path)} is damaged: ${found}`);
          }
          await renamePart(part, localFile);
        });
        await syncFolder(dirname(localFile));
      },
      options.signal,
    );
  }

  async read(path: string): Promise<Uint8Array | null> {
    const file = await this.#existing(path);
    return file === null ? null : guarded(`cannot read ${this.#root.shown(path)}`, () => readFile(file));
  }

  async readPart(path: string, offset: number, length: number): Promise<StoredPart | null> {
    const file = await this.#existing(path);
    if (file === null) return null;
    return guarded(`cannot read ${this.#root.shown(path)}`, () =>
      withRegularFile(file, (opened) => partOf(opened, offset, length)),
    );
  }

  async verify(path: string, options: TransferOptions = {}): Promise<PublishedFile | null> {
    const file = await this.#existing(path);
    if (file === null) return null;
    return guarded(
      `cannot read ${this.#root.shown(path)}`,
      async () => {
        const digest = await this.#known.of(file, options);
        this.#proofs.note(path, 'readBack');
        return { path, ...digest };
      },
      options.signal,
    );
  }

  proofOf(path: string): CopyProof | null {
    return this.#proofs.of(path);
  }

  async *list(folder: string): AsyncIterable<{ path: string; size: number }> {
    const path = checkedPath(folder);
    const start = await guarded(`cannot list ${this.#root.shown(path)}`, () => this.#root.resolve(path));
    if (start === null) return;
    if ((await entryAt(start))?.isDirectory()) yield* filesBelow(start, path);
    // What went while it was read was not removed, when all of the store went.
    await this.#root.requirePresent();
  }

  async remove(path: string): Promise<void> {
    checkedPath(path);
    await guarded(`cannot remove ${this.#root.shown(path)}`, async () => {
      const parent = await this.#root.resolve(dirname(path));
      if (parent === null) return;
      // A symbolic link at the end goes itself, not what it points to.
      await removeTree(join(parent, basename(path)));
      await syncFolder(parent);
    });
  }

  async removeFiles(paths: readonly string[]): Promise<void> {
    for (const path of paths) await this.remove(path);
  }

  async tidy(folder: string): Promise<void> {
    const path = checkedPath(folder);
    await guarded(`cannot tidy ${this.#root.shown(path)}`, async () => {
      const start = await this.#root.resolve(path);
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
      `cannot write ${this.#root.shown(path)}`,
      async () => {
        const folder = await this.#root.folderFor(path);
        const target = join(folder, basename(path));
        await removeStaleParts(target);
        const before = await entryAt(target);
        if (before?.isDirectory())
          throw new StoreError(`cannot write ${this.#root.shown(path)}: a folder is there`, false);
        if (before?.isFile() && before.size === size) {
          // Read what is there first: it is the one that may be damaged.
          const there = await this.#known.of(target, { signal: options.signal });
          if (isSame(there, await digest())) {
            options.onBytes?.(size);
            this.#proofs.note(path, 'readBack');
            return { path, ...there };
          }
        }
        return withPartFile(target, async (part) => {
          const copied = await writeWhole(part, fill, options);
          await renamePart(part, target);
          await syncFolder(folder);
          await this.#known.put(target, copied);
          this.#proofs.note(path, 'readBack');
          return { path, ...copied };
        });
      },
      options.signal,
    );
  }

  /** The real path of the regular file at `path`, or null. */
  async #existing(path: string): Promise<string | null> {
    checkedPath(path);
    return guarded(`cannot read ${this.#root.shown(path)}`, async () => {
      const real = await this.#root.resolve(path);
      if (real === null) return null;
      const entry = await entryAt(real);
      if (entry && !entry.isFile())
        throw new StoreError(`cannot read ${this.#root.shown(path)}: it is not a file`, false);
      if (entry) return real;
      await this.#root.requirePresent();
      return null;
    });
  }
}

/** False when there is a target already. */
async function createFrom(part: string, target: string): Promise<boolean> {
  try {
    await link(part, target);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    // A file system without links: the copy is exclusive, too, and whoever reads it half-written reads it again.
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK'].includes(codeOf(error) ?? '')) throw error;
  }
  try {
    await copyFile(part, target, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Throws when nothing can be written in the folder. */
async function probe(folder: string): Promise<void> {
  const file = join(folder, 'writable');
  await withPartFile(file, async (part) => {
    await removeStaleParts(file);
    // A full disk takes a new name but no bytes.
    await withFile(part, newFile, async (opened) => {
      await writeAll(opened, Buffer.alloc(4096));
      await opened.sync();
    });
  });
}

function checkedPath(path: string): string {
  const parsed = relativePath.safeParse(path);
  if (parsed.success) return path;
  const shown = JSON.stringify(path.length > 80 ? `${path.slice(0, 79)}…` : path);
  throw new StoreError(`path is ${shown}: ${parsed.error.issues.map(({ message }) => message).join('; ')}`, false);
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

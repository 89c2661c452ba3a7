/**
 * Files of a run for reading, wherever they are: its folder on this host, or its output folder in the store. A path is
 * checked by the contracts before it comes here; that no link leads out is checked here, on what was really opened.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, opendir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { type ListedRunFiles, mostEntries } from '../contracts/run-files.ts';
import type { ArtifactStore, StoredPart } from '../stores/artifact-store.ts';
import { codeOf } from '../stores/file-errors.ts';
import { partOf } from '../stores/whole-file.ts';

export interface RunFiles {
  /** What is in a folder, folders with the size of all below them; null when there is no such folder. */
  list(folder: string | null): Promise<ListedRunFiles | null>;
  /** Null when there is no such file. */
  readPart(path: string, offset: number, length: number): Promise<StoredPart | null>;
}

/** Of use on this host alone; they are not published either. */
const bookkeeping = new Set(['lock', 'session.json', 'process.json', 'exit.json', 'kept.json', 'start']);

export class HostRunFiles implements RunFiles {
  /** `root` is the run's folder, absolute. */
  constructor(readonly root: string) {}

  async list(folder: string | null): Promise<ListedRunFiles | null> {
    if (isHidden(folder)) return null;
    const real = await this.#inside(folder ?? '.');
    if (real === null || !(await stat(real)).isDirectory()) return null;
    const entries: ListedRunFiles['entries'] = [];
    for await (const entry of await opendir(real)) {
      if (entry.name.endsWith('.tmp') || (folder === null && bookkeeping.has(entry.name))) continue;
      if (entries.length === mostEntries) return { entries: inOrder(entries), all: false };
      const path = join(real, entry.name);
      if (entry.isDirectory()) entries.push({ name: entry.name, kind: 'folder', size: await bytesBelow(path) });
      // Links are left out here; what they lead to is published in their place, if it is a file of the run.
      else if (entry.isFile()) entries.push({ name: entry.name, kind: 'file', size: await sizeOf(path) });
    }
    return { entries: inOrder(entries), all: true };
  }

  async readPart(path: string, offset: number, length: number): Promise<StoredPart | null> {
    if (isHidden(path)) return null;
    const file = await openRegular(join(this.root, path));
    if (!file) return null;
    try {
      // What was opened is compared with what is inside: a link that changes between the two gains nothing.
      const [opened, real] = [await file.stat(), await this.#inside(path)];
      if (!opened.isFile() || real === null) return null;
      const inside = await stat(real);
      if (inside.dev !== opened.dev || inside.ino !== opened.ino) return null;
      return await partOf(file, offset, length);
    } finally {
      await file.close();
    }
  }

  /** The real path of what is at `path`, or null where there is nothing or it leads out of the folder. */
  async #inside(path: string): Promise<string | null> {
    try {
      const root = await realpath(this.root);
      const real = await realpath(join(root, path));
      return real === root || real.startsWith(root + sep) ? real : null;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }
}

export class StoredRunFiles implements RunFiles {
  /** `output` is the run's folder in the store. */
  constructor(
    readonly store: ArtifactStore,
    readonly output: string,
  ) {}

  async list(folder: string | null): Promise<ListedRunFiles | null> {
    const prefix = folder === null ? this.output : `${this.output}/${folder}`;
    const entries = new Map<string, ListedRunFiles['entries'][number]>();
    let seen = 0;
    for await (const { path, size } of this.store.list(prefix)) {
      const [first = '', ...deeper] = path.slice(prefix.length + 1).split('/');
      const known = entries.get(first);
      if (known) known.size += size;
      else entries.set(first, { name: first, kind: deeper.length > 0 ? 'folder' : 'file', size });
      // A store tells files, not folders: the bound is on the files that are looked at.
      if (++seen === mostEntries * 10) return { entries: inOrder([...entries.values()]), all: false };
    }
    if (entries.size === 0) return folder === null ? { entries: [], all: true } : null;
    const all = inOrder([...entries.values()]);
    return { entries: all.slice(0, mostEntries), all: all.length <= mostEntries };
  }

  readPart(path: string, offset: number, length: number): Promise<StoredPart | null> {
    return this.store.readPart(`${this.output}/${path}`, offset, length);
  }
}

const isHidden = (path: string | null) => path !== null && bookkeeping.has(path.split('/')[0] ?? '');

const inOrder = (entries: ListedRunFiles['entries']) =>
  entries.sort((a, b) => (a.kind === b.kind ? (a.name < b.name ? -1 : 1) : a.kind === 'folder' ? -1 : 1));

async function openRegular(path: string): Promise<FileHandle | null> {
  try {
    // A pipe in its place must not hang us, a link in its place must not lead us.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if (isMissing(error) || codeOf(error) === 'ELOOP' || codeOf(error) === 'ENXIO') return null;
    throw error;
  }
}

async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0;
  try {
    for await (const entry of await opendir(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) bytes += await bytesBelow(path);
      else if (entry.isFile()) bytes += await sizeOf(path);
    }
  } catch (error) {
    // A checkpoint may be removed while it is counted.
    if (!isMissing(error)) throw error;
  }
  return bytes;
}

const sizeOf = (path: string) =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

const isMissing = (error: unknown) => ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(String(codeOf(error)));

/**
 * The folder of a file store, and the paths in it.
 *
 * A store whose disk is not mounted, or whose folder was moved, looks like one that holds nothing: a run that believed
 * that would start from scratch, or call its checkpoints lost. So a store has a mark, made before the first run writes
 * into it. Without a mark it is away: nothing is read from there, written there, or concluded.
 *
 * The mark holds the store's identity. An address alone does not tell one store from another: two hosts may each have a
 * folder of that name, and a mount point may carry another disk.
 */
import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { access, link, mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { experimentsFolder, OtherStoreError, StoreError } from './artifact-store.ts';
import { codeOf } from './file-errors.ts';
import { identityIn, markName, markText } from './store-mark.ts';
import { entryAt, syncFolder } from './whole-file.ts';

/** By address: what was read, and which file it was read from. */
const identities = new Map<string, { as: string; identity: string | null }>();
const mostIdentities = 1_000;

export class StoreRoot {
  /**
   * `address` is an absolute path. `isStore`: a whole store, and not a folder out of one, or a copy of that. `wanted` is the
   * identity of the store that is meant, null when any will do.
   */
  constructor(
    readonly address: string,
    readonly isStore: boolean,
    readonly wanted: string | null,
  ) {}

  /** Made when it is missing, but not the folders above it: a mount that is away must not be written beside. */
  async make(): Promise<string> {
    await makeFolder(this.address).catch((error: unknown) => this.#cannotMake(error));
    return realpath(this.address);
  }

  /** Throws where `make` could not make it. Makes nothing. */
  async requireMakeable(): Promise<void> {
    // With a dot, so that a file in the place of the folder is told as such.
    await access(`${dirname(this.address)}/.`, constants.W_OK | constants.X_OK).catch((error: unknown) =>
      this.#cannotMake(error),
    );
  }

  #cannotMake(error: unknown): never {
    if (codeOf(error) !== 'ENOENT') throw error;
    const missing = `cannot make ${this.address}: ${dirname(this.address)} does not exist`;
    throw new StoreError(missing, true, { cause: error });
  }

  /** Makes the mark, or completes one that a person made by hand, which has no identity. */
  async mark(): Promise<void> {
    if ((await this.identity()) !== null) return;
    const path = join(this.address, markName);
    const identity = randomUUID();
    const beside = `${path}.${identity}.tmp`;
    try {
      await writeFile(beside, markText('folder', identity), { flush: true });
      if (await entryAt(path)) await rename(beside, path);
      // Of two hosts that make it at once the first one names it. A file system without links leaves it to the last.
      else
        await link(beside, path).catch(async (error: unknown) => {
          if (codeOf(error) !== 'EEXIST') await rename(beside, path);
        });
    } finally {
      await rm(beside, { force: true });
    }
    await syncFolder(this.address);
  }

  /** What the mark says; null where there is no mark, or one without an identity. */
  async identity(): Promise<string | null> {
    const text = await readFile(join(this.address, markName), 'utf8').catch((error: unknown) => {
      if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(codeOf(error) ?? '')) return '';
      throw error;
    });
    return identityIn(text);
  }

  /** The folder that the file at `path` is in, made if need be, as a real path inside the store. */
  async folderFor(path: string): Promise<string> {
    await this.requirePresent();
    const root = await realpath(this.address);
    return this.#folder(root, path.split('/').slice(0, -1), path);
  }

  /** From the end, since as a rule all but the last part is there. What is not a folder fails with mkdir, or where the file is written. */
  async #folder(root: string, parts: readonly string[], path: string): Promise<string> {
    const last = parts.at(-1);
    if (last === undefined) return root;
    const there = await realpath(join(root, ...parts)).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return null;
      throw error;
    });
    const real = there ?? (await this.#made(join(await this.#folder(root, parts.slice(0, -1), path), last)));
    this.#requireInside(root, real, path);
    return real;
  }

  /** Another host may make it in the same moment. */
  async #made(folder: string): Promise<string> {
    return (await makeFolder(folder)) ? folder : realpath(folder);
  }

  /** The real path of what is at `path` now, inside the store; null when the store is there and has nothing there. */
  async resolve(path: string): Promise<string | null> {
    await this.requirePresent();
    try {
      const root = await realpath(this.address);
      const real = await realpath(join(root, path));
      this.#requireInside(root, real, path);
      return real;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error;
      await this.requirePresent();
      return null;
    }
  }

  /**
   * Throws StoreError, worth another try, when the store is unavailable or another one is in its place: to be asked after nothing was
   * found, too. A store that lost its mark cannot be told from the one that is meant, and passes for it.
   */
  async requirePresent(): Promise<void> {
    // What was written into a store says so, too: a copy may have left the mark behind.
    if (!this.isStore) return;
    const mark = await entryAt(join(this.address, markName));
    if (mark && this.wanted !== null) {
      const found = await this.#identityNow(mark);
      if (found !== null && found !== this.wanted) throw new OtherStoreError(this.address, this.wanted, found);
    }
    if (mark || (await entryAt(join(this.address, experimentsFolder)))) return;
    const why = `it has no ${markName}. Is its disk mounted? Create that file to start anew there`;
    throw new StoreError(`the store ${this.address} is unavailable: ${why}`, true);
  }

  /** The identity, read again only when the mark is another one: each call of a store asks for it. */
  async #identityNow(mark: Stats): Promise<string | null> {
    // What a link leads to may change while the link does not.
    if (!mark.isFile()) return this.identity();
    const { dev, ino, size, mtimeMs, ctimeMs } = mark;
    const as = [dev, ino, size, mtimeMs, ctimeMs].join(' ');
    const before = identities.get(this.address);
    if (before?.as === as) return before.identity;
    const identity = await this.identity();
    if (identities.size >= mostIdentities) identities.clear();
    identities.set(this.address, { as, identity });
    return identity;
  }

  /** As people read it. */
  shown(path: string): string {
    return join(this.address, path);
  }

  #requireInside(root: string, real: string, path: string): void {
    if (real === root || real.startsWith(root.endsWith(sep) ? root : root + sep)) return;
    throw new StoreError(`${this.shown(path)} leads out of the store through a symbolic link, to ${real}`, false);
  }
}

/** False when it is there already, or a file is. */
async function makeFolder(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
  await syncFolder(dirname(folder));
  return true;
}

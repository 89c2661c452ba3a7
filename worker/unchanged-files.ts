/**
 * Small files that are read again and again, and change seldom: read again only when they are other files than before. Whatever is
 * answered is what the disk holds now.
 */
import { lstat } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import { ifMissing, readIfThere } from './run-folders.ts';

/** Of a host with hundreds of runs, each with a few checkpoints. */
const mostFiles = 5_000;
/** Larger ones are few, and would fill the memory. In bytes. */
const largest = 1 << 16;

export class UnchangedFiles<T extends object> {
  readonly #known = new LRUCache<string, { as: string; value: T }>({ max: mostFiles });

  /** `parse` answers null for what is not worth remembering. */
  constructor(private readonly parse: (text: string) => T | null) {}

  /** Nobody may change what is answered. Null where there is no file, or a link in its place. */
  async read(path: string): Promise<T | null> {
    const now = await lstat(path).catch(ifMissing(null));
    if (!now?.isFile()) return null;
    const as = [now.dev, now.ino, now.size, now.mtimeMs, now.ctimeMs].join(' ');
    const before = this.#known.get(path);
    if (before?.as === as) return before.value;
    const text = await readIfThere(path);
    const value = text === null ? null : this.parse(text);
    // A file that changes while it is read is another one the next time.
    if (value !== null && now.size <= largest) this.#known.set(path, { as, value });
    return value;
  }
}

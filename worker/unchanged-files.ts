/**
 * Small files that are read again and again, and change seldom: read again only when they are other files than before. Whatever is
 * answered is what the disk holds now.
 */
import { lstat } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import { ifMissing, readIfThere } from './run-folders.ts';

/** Of a host with hundreds of runs, each with a few checkpoints. */
const mostFiles = 5_000;
/** Of all texts together, and of one: larger ones are few, and would fill the memory. In bytes. */
const mostBytes = 1 << 24;
const largest = 1 << 16;
/**
 * Times of files move on in steps, of 10 ms at most on what disks are formatted with here: two contents within one step may have the same
 * times. A file that young is not remembered. In milliseconds.
 */
const youngest = 50;

export class UnchangedFiles<T extends object> {
  readonly #known = new LRUCache<string, { as: string; value: T }>({ max: mostFiles, maxSize: mostBytes });

  /** `parse` answers null for what is not worth remembering. */
  constructor(private readonly parse: (text: string) => T | null) {}

  /** Nobody may change what is answered. Null where there is no file, or a link in its place. */
  async read(path: string): Promise<T | null> {
    const at = Date.now();
    const now = await lstat(path).catch(ifMissing(null));
    if (!now?.isFile()) return null;
    const as = [now.dev, now.ino, now.size, now.mtimeMs, now.ctimeMs].join(' ');
    const before = this.#known.get(path);
    if (before?.as === as) return before.value;
    const text = await readIfThere(path);
    const value = text === null ? null : this.parse(text);
    // A file that changes while it is read is another one the next time.
    if (value !== null && now.size <= largest && Math.abs(at - now.ctimeMs) > youngest)
      this.#known.set(path, { as, value }, { size: now.size + 1 });
    return value;
  }
}

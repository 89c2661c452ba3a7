/**
 * Digests of files that this process has read whole: what was stored is read back once, and not again when its run is published, however much that is. A
 * file counts as the same while nobody has written to it, moved it or put another one in its place, by what the file system says.
 */
import { type BigIntStats, stat } from 'node:fs';
import { promisify } from 'node:util';
import { type DigestOptions, digestFile, type FileDigest } from './file-digest.ts';

/** Files. */
const most = 10_000;
const entryOf = promisify<string, { bigint: true }, BigIntStats>(stat);

export class KnownDigests {
  readonly #known = new Map<string, { entry: string; digest: FileDigest }>();

  /** Throws what `digestFile` throws. */
  async of(file: string, options: DigestOptions): Promise<FileDigest> {
    options.signal?.throwIfAborted();
    const before = await markOf(file);
    const known = this.#known.get(file);
    if (known?.entry === before) {
      options.onBytes?.(known.digest.size);
      return known.digest;
    }
    const digest = await digestFile(file, options);
    if ((await markOf(file)) === before) this.#remember(file, before, digest);
    return digest;
  }

  /** Of a file that was just put there, and had been read back. */
  async put(file: string, digest: FileDigest): Promise<void> {
    this.#remember(file, await markOf(file), digest);
  }

  #remember(file: string, entry: string, digest: FileDigest): void {
    this.#known.delete(file);
    this.#known.set(file, { entry, digest });
    const [oldest] = this.#known.keys();
    if (this.#known.size > most && oldest !== undefined) this.#known.delete(oldest);
  }
}

async function markOf(file: string): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await entryOf(file, { bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

/**
 * Digests of files that this process has read whole: what was stored is read back once, and not again when its run is published, however much that is. A
 * file counts as the same while nobody has written to it, moved it or put another one in its place, by what the file system says.
 */
import { type BigIntStats, stat } from 'node:fs';
import { promisify } from 'node:util';
import { type DigestOptions, digestFile, type FileDigest } from './file-digest.ts';

/** Files. */
const most = 10_000;
/**
 * Times of files move on in steps, of 10 ms at most on what disks are formatted with here: of two contents of one size within a step the times may be the same. A file that young is not
 * remembered, but read again once it is older. In milliseconds.
 */
const youngest = 50;
const entryOf = promisify<string, { bigint: true }, BigIntStats>(stat);

export class KnownDigests {
  readonly #known = new Map<string, { entry: string; digest: FileDigest }>();

  constructor(private readonly digest: typeof digestFile = digestFile) {}

  /** Throws what `digestFile` throws. */
  async of(file: string, options: DigestOptions): Promise<FileDigest> {
    options.signal?.throwIfAborted();
    const at = Date.now();
    const before = await entryOf(file, { bigint: true });
    const known = this.#known.get(file);
    if (known?.entry === markOf(before)) {
      options.onBytes?.(known.digest.size);
      return known.digest;
    }
    const digest = await this.digest(file, options);
    const after = await entryOf(file, { bigint: true });
    const isOld = isBefore(at, before.mtimeNs) && isBefore(at, before.ctimeNs);
    if (isOld && markOf(after) === markOf(before)) this.#remember(file, markOf(after), digest);
    return digest;
  }

  /** Of a file that was just put there, and had been read back. Whoever writes to it gives it another time, since it was dated back (`writeWhole`). */
  async put(file: string, digest: FileDigest): Promise<void> {
    const at = Date.now();
    const entry = await entryOf(file, { bigint: true });
    if (isBefore(at, entry.mtimeNs)) this.#remember(file, markOf(entry), digest);
  }

  #remember(file: string, entry: string, digest: FileDigest): void {
    this.#known.delete(file);
    this.#known.set(file, { entry, digest });
    const [oldest] = this.#known.keys();
    if (this.#known.size > most && oldest !== undefined) this.#known.delete(oldest);
  }
}

const markOf = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats) => [dev, ino, size, mtimeNs, ctimeNs].join(' ');

const isBefore = (at: number, timeNs: bigint) => Math.abs(at - Number(timeNs / 1_000_000n)) > youngest;

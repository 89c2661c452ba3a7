/** Images by their hashes, in a folder that all projects and runs of this host share: what is there is not asked for again. */
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { sizeText } from '../../contracts/size-text.ts';
import { BucketError } from '../../stores/bucket.ts';
import { sha256Hex } from '../../stores/sha256.ts';
import type { ProjectImage } from './project-api.ts';

/** Of an image whose size nobody says, or says wrongly: a server that never ends would fill the disk. */
const largest = 1 << 30;

export class ImageCache {
  constructor(
    readonly folder: string,
    readonly mostBytes = largest,
  ) {}

  /** Where it is, or would be. `server`: whose ids and links those are of an image without a hash. */
  pathOf({ hash, id, link, updatedAt }: ProjectImage, server: string): string {
    const sha256 = hexOf(hash);
    if (sha256 !== null) return join(this.folder, sha256.slice(0, 2), sha256);
    const key = sha256Hex(JSON.stringify([server, id, hash, link, updatedAt]));
    return join(this.folder, 'unhashed', key);
  }

  /** False where it is not, and where it is not whole: a machine that lost its power may have had a part of it. */
  async has(path: string, { size }: ProjectImage): Promise<boolean> {
    const found = await stat(path).catch(() => null);
    return found !== null && (size ? found.size === size : found.size > 0);
  }

  /** Throws a BucketError `damaged` for other bytes than those of its hash. Nobody writes into it: it is the file of all projects that have it. */
  async add(path: string, image: ProjectImage, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    const beside = `${path}.${randomUUID()}.tmp`;
    await mkdir(join(path, '..'), { recursive: true });
    try {
      const hash = createHash('sha256');
      let size = 0;
      const most = Math.max(image.size ?? 0, this.mostBytes);
      const hashed = async function* () {
        for await (const chunk of bytes) {
          hash.update(chunk);
          size += chunk.length;
          if (size > most) throw new BucketError('damaged', `more than ${sizeText(most)} came`);
          yield chunk;
        }
      };
      await pipeline(Readable.from(hashed(), { objectMode: false }), createWriteStream(beside, { mode: 0o444 }), {
        signal,
      });
      const [sha256, expected] = [hash.digest('hex'), hexOf(image.hash)];
      if (expected === null ? size === 0 : sha256 !== expected)
        throw new BucketError('damaged', 'the bytes that came were others');
      await rename(beside, path);
    } finally {
      await rm(beside, { force: true });
    }
  }

  /** What no project has any longer, and nobody has brought or left since `before`. */
  async evict(before: number): Promise<void> {
    for (const folder of await readdir(this.folder).catch(() => []))
      for (const name of await readdir(join(this.folder, folder)).catch(() => [])) {
        const path = join(this.folder, folder, name);
        const found = await stat(path).catch(() => null);
        // Projects have links to it, and its time is that of the last one that came or went.
        if (found && found.nlink === 1 && found.ctimeMs < before) await rm(path, { force: true });
      }
  }
}

function hexOf(hash: string | null | undefined): string | null {
  const bytes = Buffer.from(hash ?? '', 'base64');
  return bytes.length === 32 ? bytes.toString('hex') : null;
}

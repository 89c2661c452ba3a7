/** Size and sha256 of a file's bytes, read as a stream. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

export interface FileDigest {
  /** Bytes. */
  size: number;
  /** Hexadecimal. */
  sha256: string;
}

/** Throws what reading throws, and the signal's reason when aborted. */
export async function digestFile(path: string, options: { signal?: AbortSignal | undefined } = {}): Promise<FileDigest> {
  const hash = createHash('sha256');
  let size = 0;
  await pipeline(
    createReadStream(path, { highWaterMark: 1 << 20 }),
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        size += chunk.length;
        hash.update(chunk);
      }
    },
    options.signal ? { signal: options.signal } : {},
  );
  return { size, sha256: hash.digest('hex') };
}

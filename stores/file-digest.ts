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

export interface DigestOptions {
  signal?: AbortSignal | undefined;
  onBytes?: ((bytes: number) => void) | undefined;
}

/** Throws what reading throws, and the signal's reason when aborted. */
export async function digestFile(path: string, { signal, onBytes }: DigestOptions = {}): Promise<FileDigest> {
  const hash = createHash('sha256');
  let size = 0;
  signal?.throwIfAborted();
  await pipeline(
    createReadStream(path, { highWaterMark: 1 << 20 }),
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        size += chunk.length;
        hash.update(chunk);
        onBytes?.(chunk.length);
      }
    },
    signal ? { signal } : {},
  );
  return { size, sha256: hash.digest('hex') };
}

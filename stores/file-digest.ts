/** Size and sha256 of a file's bytes, read in parts. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

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

/** Most files are small: two of these are enough for them. */
const smallPart = 1 << 14;
const largePart = 1 << 20;
const two = (size: number) => [Buffer.allocUnsafe(size), Buffer.allocUnsafe(size)] as const;

/** Throws what reading throws, and the signal's reason when aborted. */
export async function digestFile(path: string, { signal, onBytes }: DigestOptions = {}): Promise<FileDigest> {
  const hash = createHash('sha256');
  let size = 0;
  signal?.throwIfAborted();
  const file = await open(path);
  try {
    let parts = two(smallPart);
    let reading = file.read(parts[0]);
    for (let count = 1; ; count++) {
      const { buffer, bytesRead } = await reading;
      signal?.throwIfAborted();
      if (bytesRead === 0) break;
      // The next part is read while this one is hashed.
      if (count === 2) parts = two(largePart);
      reading = file.read(parts[count % 2 === 0 ? 0 : 1]);
      reading.catch(() => undefined);
      hash.update(buffer.subarray(0, bytesRead));
      size += bytesRead;
      onBytes?.(bytesRead);
    }
  } finally {
    await file.close();
  }
  return { size, sha256: hash.digest('hex') };
}

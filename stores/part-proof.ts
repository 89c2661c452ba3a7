/** The checksum of an object of several parts, over the checksums of its parts: what S3 calls a composite SHA-256. */
import { createHash } from 'node:crypto';
import type { UploadedPart } from './bucket.ts';

/** Null when the provider has not checked all of them. */
export function proofOfParts(parts: readonly Pick<UploadedPart, 'sha256'>[]): string | null {
  const hash = createHash('sha256');
  for (const { sha256 } of parts) {
    if (sha256 === null) return null;
    hash.update(sha256);
  }
  return `${hash.digest('base64')}-${parts.length}`;
}

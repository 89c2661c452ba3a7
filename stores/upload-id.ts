/** Ids of uploads for a provider that gives none: they tell when each was begun. */
import { randomBytes } from 'node:crypto';

export const uploadIdBytes = 8;

/** Hexadecimal. `at`: in milliseconds. */
export function newUploadId(at: number): string {
  const id = randomBytes(uploadIdBytes);
  id.writeUInt32BE(secondsOf(at), 0);
  return id.toString('hex');
}

export const secondsOf = (ms: number): number => Math.floor(ms / 1000);

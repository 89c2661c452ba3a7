/** SHA-256 of bytes that are in memory. */
import { createHash, webcrypto } from 'node:crypto';

export const sha256Of = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

/** In hexadecimal digits. */
export const sha256Hex = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** The same of many bytes, on another thread. */
export const sha256OfMany = async (bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> =>
  new Uint8Array(await webcrypto.subtle.digest('SHA-256', bytes));

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/**
 * Names of the parts of an upload to Google Cloud Storage. It has no uploads in parts that come in any order, but puts objects together to one. So parts
 * are objects beside the file, which no list of files tells of, and go when it is whole. What has to be known of one to take it up after a crash is in its
 * name, as Google took it only as the bytes whose MD5 came with them: the upload, its number, and the SHA-256 of its bytes.
 */
const mark = '.epochal-upload-';
const pattern = /^(.*)\.epochal-upload-([0-9a-f]{16})\/(\d{5})-([0-9a-f]{64}|composed-\d+)$/s;

/** Bytes that a name of a part has more than that of its file. */
export const partNameBytes = mark.length + 16 + 1 + 5 + 1 + 64;

/** The prefix of all parts of an upload; without one, of all uploads of that key. */
export const partsPrefix = (key: string, upload = ''): string => `${key}${mark}${upload}${upload && '/'}`;

export const partKey = (key: string, upload: string, number: number, sha256: Uint8Array): string =>
  `${partsPrefix(key, upload)}${String(number).padStart(5, '0')}-${Buffer.from(sha256).toString('hex')}`;

/** Of what several parts are put together to on the way: more of them at once than can be made one. */
export const composedKey = (key: string, upload: string, number: number, level: number): string =>
  `${partsPrefix(key, upload)}${String(number).padStart(5, '0')}-composed-${level}`;

export interface PartName {
  key: string;
  upload: string;
  number: number;
  /** Null of what was put together. */
  sha256: Uint8Array | null;
}

/** Null where it is no part. */
export function partOf(name: string): PartName | null {
  const [, key, upload, number, digest = ''] = pattern.exec(name) ?? [];
  if (key === undefined || upload === undefined || number === undefined) return null;
  const sha256 = digest.startsWith('composed') ? null : Buffer.from(digest, 'hex');
  return { key, upload, number: Number(number), sha256 };
}

/**
 * What an object of several parts has for its SHA-256. Providers tell one over its parts, which depends on how it was cut, and take no
 * metadata after its first byte. So the digest lies beside it, and counts for the very object that it was written for: with another ETag
 * there, nobody knows, and the object is read.
 */
import { z } from 'zod';
import { sha256 as sha256Schema } from '../contracts/names.ts';
import type { BucketObject } from './bucket.ts';

const noteSchema = z.object({ etag: z.string().min(1), size: z.number(), sha256: sha256Schema });

const prefix = '.epochal-digest-';
const folderAndName = (key: string): [string, string] => {
  const at = key.lastIndexOf('/') + 1;
  return [key.slice(0, at), key.slice(at)];
};

export function noteKeyOf(key: string): string {
  const [folder, name] = folderAndName(key);
  return `${folder}${prefix}${name}`;
}

/** The key that a note is about; null where the key is not one of a note. */
export function keyOfNote(note: string): string | null {
  const [folder, name] = folderAndName(note);
  return name.startsWith(prefix) ? `${folder}${name.slice(prefix.length)}` : null;
}

export const noteText = (note: z.infer<typeof noteSchema>): string => JSON.stringify(note);

/** The SHA-256 of the object, in hexadecimal; null where the note is of another one, or none. */
export function notedSha256(text: string, { etag, size }: Pick<BucketObject, 'etag' | 'size'>): string | null {
  try {
    const note = noteSchema.parse(JSON.parse(text));
    return note.etag === etag && note.size === size ? note.sha256 : null;
  } catch {
    return null;
  }
}

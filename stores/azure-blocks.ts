/**
 * Names of the blocks of an upload to Azure. It keeps blocks that were not committed for a week, and of each nothing but its name and size. So
 * what has to be known of a block to take it up after a crash is in its name: the upload that it is part of, its number, when it was sent, and the SHA-256 of
 * its bytes, which Azure took only as those whose MD5 came with them. Blocks of two files are never mistaken for each other.
 */
import type { UploadedPart } from './bucket.ts';
import { secondsOf, uploadIdBytes } from './upload-id.ts';

/** All names of one blob must be equally long, and have at most 64 bytes; these have 48. */
const magic = Buffer.from('E1');
const length = magic.length + uploadIdBytes + 2 + 4 + 32;

export interface Block extends UploadedPart {
  upload: string;
  storedAt: Date;
}

/** As Azure takes it: base64. */
export function blockName(upload: string, number: number, at: number, sha256: Uint8Array): string {
  const numbers = Buffer.alloc(6);
  numbers.writeUInt16BE(number, 0);
  numbers.writeUInt32BE(secondsOf(at), 2);
  return Buffer.concat([magic, Buffer.from(upload, 'hex'), numbers, sha256]).toString('base64');
}

/** Null where it is the name of a block that another program made. */
export function blockOf(name: string, size: number): Block | null {
  const bytes = Buffer.from(name, 'base64');
  if (bytes.length !== length || !bytes.subarray(0, magic.length).equals(magic)) return null;
  const upload = bytes.subarray(magic.length, magic.length + uploadIdBytes).toString('hex');
  const at = magic.length + uploadIdBytes;
  return {
    upload,
    number: bytes.readUInt16BE(at),
    storedAt: new Date(bytes.readUInt32BE(at + 2) * 1000),
    size,
    etag: name,
    sha256: bytes.subarray(at + 6),
  };
}

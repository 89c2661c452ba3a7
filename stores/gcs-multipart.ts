/** The body of a request that has an object's bytes, and before them what is to be known of it. */
import { Readable } from 'node:stream';
import { sha256Hex } from './sha256.ts';

/** Bytes that are handed to the connection at once. */
const sliceBytes = 256 << 10;

/** `about`: JSON. `moved` is called as the connection takes more of it. */
export function multipart(about: string, bytes: Uint8Array, contentType: string) {
  // Nothing that is in the bytes by chance.
  const boundary = `epochal-${sha256Hex(about)}`;
  const before = Buffer.from(
    [
      `--${boundary}`,
      'content-type: application/json; charset=utf-8',
      '',
      about,
      `--${boundary}`,
      `content-type: ${contentType}`,
      '',
      '',
    ].join('\r\n'),
  );
  const after = Buffer.from(`\r\n--${boundary}--`);
  return {
    headers: {
      'content-type': `multipart/related; boundary=${boundary}`,
      'content-length': String(before.length + bytes.length + after.length),
    },
    body: (moved: () => void) => Readable.from(slices([before, bytes, after], moved), { highWaterMark: 1 }),
  };
}

function* slices(buffers: readonly Uint8Array[], moved: () => void): Generator<Uint8Array> {
  for (const bytes of buffers)
    for (let at = 0; at < bytes.length; at += sliceBytes) {
      moved();
      yield bytes.subarray(at, at + sliceBytes);
    }
}

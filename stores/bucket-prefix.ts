/** The prefix of all keys of a store in a bucket. */
import { relativePath } from '../contracts/names.ts';
import type { StoreError } from './artifact-store.ts';

/** Bytes: paths of runs follow, and providers take keys of 1,024. */
const longest = 512;

/** Checked, and without a slash at its end. Throws what `problem` makes of a clause. `what`: in the words of the provider. */
export function bucketPrefix(
  written: string,
  problem: (why: string) => StoreError,
  what = { prefix: 'prefix', bucket: 'a whole bucket' },
): string {
  const prefix = written.endsWith('/') ? written.slice(0, -1) : written;
  if (prefix === '')
    throw problem(`it names no ${what.prefix}, and a store never takes ${what.bucket}: choose one, such as "epochal"`);
  const its = `its ${what.prefix}`;
  if (/[?#]/.test(prefix)) throw problem(`${its} has a "?" or "#", which are not part of a path`);
  if (/\p{Cc}/u.test(prefix)) throw problem(`${its} has a control character`);
  if (/%[0-9a-f]{2}/i.test(prefix)) throw problem(`${its} is percent-encoded: write it as it is`);
  if (!relativePath.safeParse(prefix).success)
    throw problem(`${its} must have names between single slashes, none of them "." or ".."`);
  if (Buffer.byteLength(prefix) > longest) throw problem(`${its} has more than ${longest} bytes`);
  return prefix;
}

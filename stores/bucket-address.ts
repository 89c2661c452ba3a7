/** Addresses of stores in buckets, `scheme://bucket/prefix`, and the prefixes of all stores of objects. Credentials are those of the machine. */
import { relativePath } from '../contracts/names.ts';
import { StoreError } from './artifact-store.ts';

export interface BucketAddress {
  bucket: string;
  /** Of all keys, without slashes at its ends. */
  prefix: string;
}

export interface BucketScheme {
  name: string;
  /** What the provider calls a bucket. */
  bucket: string;
  isBucketName(name: string): boolean;
  /** A clause: why a name is none. */
  notBucketName: string;
  /** A clause: where what stands before an @ belongs. */
  noCredentials: string;
  /** A clause: why the provider does not keep such a prefix; null where it does. */
  prefixProblem?(prefix: string): string | null;
  /** A clause: what is allowed. */
  allowed: string;
}

/** Throws StoreError with a clause: which part of it cannot be. */
export function bucketAddress(address: string, scheme: BucketScheme): BucketAddress {
  const problem = (why: string) => new StoreError(`${why}; ${scheme.allowed}`, false);
  const rest = address.slice(address.indexOf(':') + 1);
  if (!rest.startsWith('//')) throw problem(`it does not begin with ${scheme.name}://`);
  // Not even to say what is wrong with it: the address is shown, and kept.
  if (/^\/\/[^/]*@/.test(rest)) throw problem(scheme.noCredentials);
  const [bucket = '', ...path] = rest.slice(2).split('/');
  if (bucket === '') throw problem(`it names no ${scheme.bucket}`);
  if (!scheme.isBucketName(bucket)) throw problem(scheme.notBucketName);
  const prefix = keyPrefix(path.join('/'), problem);
  const why = scheme.prefixProblem?.(prefix) ?? null;
  if (why !== null) throw problem(why);
  return { bucket, prefix };
}

/** Bytes: paths of runs follow, and providers take keys of 1,024. */
const longest = 512;

/** Checked, and without a slash at its end. Throws what `problem` makes of a clause. `words`: of the provider. */
export function keyPrefix(
  written: string,
  problem: (why: string) => StoreError,
  words = { prefix: 'prefix', bucket: 'a whole bucket' },
): string {
  const prefix = written.endsWith('/') ? written.slice(0, -1) : written;
  if (prefix === '')
    throw problem(
      `it names no ${words.prefix}, and a store never takes ${words.bucket}: choose one, such as "epochal"`,
    );
  const its = `its ${words.prefix}`;
  if (/[?#]/.test(prefix)) throw problem(`${its} has a "?" or "#", which are not part of a path`);
  if (/\p{Cc}/u.test(prefix)) throw problem(`${its} has a control character`);
  if (/%[0-9a-f]{2}/i.test(prefix)) throw problem(`${its} is percent-encoded: write it as it is`);
  if (!relativePath.safeParse(prefix).success)
    throw problem(`${its} must have names between single slashes, none of them "." or ".."`);
  if (Buffer.byteLength(prefix) > longest) throw problem(`${its} has more than ${longest} bytes`);
  return prefix;
}

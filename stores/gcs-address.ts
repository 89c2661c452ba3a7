/** `gs://bucket/prefix`: where a store is on Google Cloud Storage. Its credentials are those of the machine. */
import { StoreError } from './artifact-store.ts';
import { bucketPrefix } from './bucket-prefix.ts';

export interface GcsAddress {
  bucket: string;
  /** Without slashes at its ends. */
  prefix: string;
}

const allowed = 'a Google Cloud store is gs://BUCKET/PREFIX';

/** Throws StoreError with a clause: which part of it cannot be. */
export function gcsAddress(address: string): GcsAddress {
  const [, rest = ''] = /^gs:(.*)$/is.exec(address) ?? [];
  if (!rest.startsWith('//')) throw problem('it does not begin with gs://');
  // Not even to say what is wrong with it: the address is shown, and kept.
  if (/^\/\/[^/]*@/.test(rest))
    throw problem('it has credentials in it, which belong in the application default credentials');
  const [bucket = '', ...path] = rest.slice(2).split('/');
  if (bucket === '') throw problem('it names no bucket');
  if (!isBucketName(bucket))
    throw problem(
      'its bucket name is not one of Google Cloud: 3 to 63 lower-case letters, digits, hyphens, underscores and dots, with a letter or digit at both ends',
    );
  return { bucket, prefix: bucketPrefix(path.join('/'), problem) };
}

/** With dots, which only names of domains have, up to 222 characters. */
const isBucketName = (name: string) =>
  name.length >= 3 &&
  name.length <= 222 &&
  name.split('.').every((part) => /^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$/.test(part)) &&
  !/^\d+\.\d+\.\d+\.\d+$/.test(name) &&
  !name.startsWith('goog');

const problem = (why: string) => new StoreError(`${why}; ${allowed}`, false);

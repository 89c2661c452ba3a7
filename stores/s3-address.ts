/** `s3://bucket/prefix`: where a store is on S3. Its endpoint, region and credentials are those of the machine. */
import { StoreError } from './artifact-store.ts';
import { bucketPrefix } from './bucket-prefix.ts';

export interface S3Address {
  bucket: string;
  /** Without slashes at its ends. */
  prefix: string;
}

const allowed = 'an S3 store is s3://BUCKET/PREFIX';

/** Throws StoreError with a clause: which part of it cannot be. */
export function s3Address(address: string): S3Address {
  const [, rest = ''] = /^s3:(.*)$/is.exec(address) ?? [];
  if (!rest.startsWith('//')) throw problem('it does not begin with s3://');
  // Not even to say what is wrong with it: the address is shown, and kept.
  if (/^\/\/[^/]*@/.test(rest))
    throw problem('it has credentials in it, which belong in the settings of the AWS client');
  const [bucket = '', ...path] = rest.slice(2).split('/');
  if (bucket === '') throw problem('it names no bucket');
  if (!isBucketName(bucket))
    throw problem(
      'its bucket name is not one of S3: 3 to 63 lower-case letters, digits, hyphens and dots, with a letter or digit at both ends',
    );
  return { bucket, prefix: bucketPrefix(path.join('/'), problem) };
}

const isBucketName = (name: string) =>
  /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) &&
  !/\.\.|\.-|-\./.test(name) &&
  !/^\d+\.\d+\.\d+\.\d+$/.test(name) &&
  !name.startsWith('xn--');

const problem = (why: string) => new StoreError(`${why}; ${allowed}`, false);

/** `gs://bucket/prefix`: where a store is on Google Cloud Storage. Its credentials are those of the machine. */
import { type BucketAddress, type BucketScheme, bucketAddress } from './bucket-address.ts';

const gcs: BucketScheme = {
  name: 'gs',
  bucket: 'bucket',
  // With dots, which only names of domains have, up to 222 characters.
  isBucketName: (name) =>
    name.length >= 3 &&
    name.length <= 222 &&
    name.split('.').every((part) => /^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$/.test(part)) &&
    !/^\d+\.\d+\.\d+\.\d+$/.test(name) &&
    !name.startsWith('goog'),
  notBucketName:
    'its bucket name is not one of Google Cloud: 3 to 63 lower-case letters, digits, hyphens, underscores and dots, with a letter or digit at both ends',
  noCredentials: 'it has credentials in it, which belong in the application default credentials',
  allowed: 'a Google Cloud store is gs://BUCKET/PREFIX',
};

/** Throws as `bucketAddress` does. */
export const gcsAddress = (address: string): BucketAddress => bucketAddress(address, gcs);

/** `s3://bucket/prefix`: where a store is on S3. Its endpoint, region and credentials are those of the machine. */
import { type BucketAddress, type BucketScheme, bucketAddress } from './bucket-address.ts';

const s3: BucketScheme = {
  name: 's3',
  bucket: 'bucket',
  isBucketName: (name) =>
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) &&
    !/\.\.|\.-|-\./.test(name) &&
    !/^\d+\.\d+\.\d+\.\d+$/.test(name) &&
    !name.startsWith('xn--'),
  notBucketName:
    'its bucket name is not one of S3: 3 to 63 lower-case letters, digits, hyphens and dots, with a letter or digit at both ends',
  noCredentials: 'it has credentials in it, which belong in the settings of the AWS client',
  allowed: 'an S3 store is s3://BUCKET/PREFIX',
};

/** Throws as `bucketAddress` does. */
export const s3Address = (address: string): BucketAddress => bucketAddress(address, s3);

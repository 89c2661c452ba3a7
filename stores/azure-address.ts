/** `az://container/prefix`: where a store is on Azure Blob Storage. Its account and credentials are those of the machine. */
import { type BucketAddress, type BucketScheme, bucketAddress } from './bucket-address.ts';

/** Azure drops dots at the end of a name between slashes: under such a key lies another one's object. */
export const hasLostDot = (key: string): boolean => /\.(\/|$)/.test(key);

const azure: BucketScheme = {
  name: 'az',
  bucket: 'container',
  isBucketName: (name) => /^[a-z0-9](-?[a-z0-9])+$/.test(name) && name.length >= 3 && name.length <= 63,
  notBucketName:
    'its container name is not one of Azure: 3 to 63 lower-case letters, digits and single hyphens, with a letter or digit at both ends',
  noCredentials: 'it has an account or credentials in it, which belong in the settings of the Azure client',
  prefixProblem: (prefix) =>
    hasLostDot(prefix) ? 'its prefix has a name that ends with a dot, which Azure does not keep' : null,
  allowed: 'an Azure store is az://CONTAINER/PREFIX',
};

/** Throws as `bucketAddress` does. */
export const azureAddress = (address: string): BucketAddress => bucketAddress(address, azure);

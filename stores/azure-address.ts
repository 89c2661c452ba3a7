/** `az://container/prefix`: where a store is on Azure Blob Storage. Its account and credentials are those of the machine. */
import { StoreError } from './artifact-store.ts';
import { bucketPrefix } from './bucket-prefix.ts';

export interface AzureAddress {
  container: string;
  /** Without slashes at its ends. */
  prefix: string;
}

const allowed = 'an Azure store is az://CONTAINER/PREFIX';

/** Throws StoreError with a clause: which part of it cannot be. */
export function azureAddress(address: string): AzureAddress {
  const [, rest = ''] = /^az:(.*)$/is.exec(address) ?? [];
  if (!rest.startsWith('//')) throw problem('it does not begin with az://');
  // Not even to say what is wrong with it: the address is shown, and kept.
  if (/^\/\/[^/]*@/.test(rest))
    throw problem('it has an account or credentials in it, which belong in the settings of the Azure client');
  const [container = '', ...path] = rest.slice(2).split('/');
  if (container === '') throw problem('it names no container');
  if (!isContainerName(container))
    throw problem(
      'its container name is not one of Azure: 3 to 63 lower-case letters, digits and single hyphens, with a letter or digit at both ends',
    );
  const prefix = bucketPrefix(path.join('/'), problem);
  if (prefix.split('/').some((name) => name.endsWith('.')))
    throw problem('its prefix has a name that ends with a dot, which Azure does not keep');
  return { container, prefix };
}

const isContainerName = (name: string) => /^[a-z0-9](-?[a-z0-9])+$/.test(name) && name.length >= 3 && name.length <= 63;

const problem = (why: string) => new StoreError(`${why}; ${allowed}`, false);

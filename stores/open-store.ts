/** Picks the store for an address. A new kind of store is one more scheme here. */
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ArtifactStore, StoreError } from './artifact-store.ts';
import { FileStore } from './file-store.ts';

const schemes: Readonly<Record<string, (address: string) => ArtifactStore>> = {
  file: (address) => new FileStore(pathOfUrl(address)),
};

/** Touches nothing yet. Throws StoreError when the address is none that a store has. */
export function openStore(address: string): ArtifactStore {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(address)?.[1]?.toLowerCase();
  if (scheme !== undefined) {
    const open = Object.hasOwn(schemes, scheme) ? schemes[scheme] : undefined;
    if (open) return open(address);
    throw new StoreError(`there is no store for "${scheme}:" addresses; ${allowed}`, false);
  }
  if (!isAbsolute(address)) throw new StoreError(`it is no absolute path; ${allowed}`, false);
  return new FileStore(address);
}

const allowed = 'a store is an absolute path or a file: address';

function pathOfUrl(address: string): string {
  try {
    return fileURLToPath(address);
  } catch (error) {
    throw new StoreError('it is no valid file: address; one looks like file:///data/store', false, { cause: error });
  }
}

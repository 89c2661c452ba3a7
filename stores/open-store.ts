/** Picks the store for an address. A new kind of store is one more scheme here. */
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ArtifactStore, StoreError } from './artifact-store.ts';
import { FileStore } from './file-store.ts';

const schemes: Readonly<Record<string, (address: string, isStore: boolean) => ArtifactStore>> = {
  file: (address, isStore) => new FileStore(pathOfUrl(address), isStore),
};

/** Touches nothing yet. Throws StoreError when the address is none that a store has. */
export const openStore = (address: string): ArtifactStore => open(address, true);

/** A folder out of a store, or a copy of one, to read from: it need not be a store itself. Throws as `openStore` does. */
export const openFolder = (address: string): ArtifactStore => open(address, false);

function open(address: string, isStore: boolean): ArtifactStore {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(address)?.[1]?.toLowerCase();
  if (scheme !== undefined) {
    const opened = Object.hasOwn(schemes, scheme) ? schemes[scheme]?.(address, isStore) : undefined;
    if (opened) return opened;
    throw new StoreError(`there is no store for "${scheme}:" addresses; ${allowed}`, false);
  }
  if (!isAbsolute(address)) throw new StoreError(`it is no absolute path; ${allowed}`, false);
  return new FileStore(address, isStore);
}

const allowed = 'a store is an absolute path or a file: address';

function pathOfUrl(address: string): string {
  try {
    return fileURLToPath(address);
  } catch (error) {
    throw new StoreError('it is no valid file: address; one looks like file:///data/store', false, { cause: error });
  }
}

/** Picks the store for an address. A new kind of store is one more scheme here. */
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ArtifactStore, StoreError } from './artifact-store.ts';
import { azureAddress } from './azure-address.ts';
import { AzureBucket } from './azure-bucket.ts';
import { FileStore } from './file-store.ts';
import { gcsAddress } from './gcs-address.ts';
import { GcsBucket } from './gcs-bucket.ts';
import { ObjectStore } from './object-store.ts';
import { s3Address } from './s3-address.ts';
import { S3Bucket } from './s3-bucket.ts';
import { teamFilesFolder } from './team-files-address.ts';
import { TeamFilesBucket } from './team-files-bucket.ts';

type Open = (address: string, isStore: boolean, identity: string | null) => ArtifactStore;

const schemes: Readonly<Record<string, Open>> = {
  file: (address, isStore, identity) => new FileStore(pathOfUrl(address), isStore, identity),
  s3: (address, isStore, identity) => {
    const { bucket, prefix } = s3Address(address);
    return new ObjectStore({ bucket: new S3Bucket(bucket), prefix, isStore, identity });
  },
  az: (address, isStore, identity) => {
    const { bucket, prefix } = azureAddress(address);
    return new ObjectStore({ bucket: new AzureBucket(bucket), prefix, isStore, identity });
  },
  gs: (address, isStore, identity) => {
    const { bucket, prefix } = gcsAddress(address);
    return new ObjectStore({ bucket: new GcsBucket(bucket), prefix, isStore, identity });
  },
  teamfiles: (address, isStore, identity) =>
    new ObjectStore({ bucket: new TeamFilesBucket(), prefix: teamFilesFolder(address), isStore, identity }),
};

/**
 * Touches nothing yet. Throws StoreError when the address is none that a store has. `identity` is that of the store that is
 * meant: every call of another one throws OtherStoreError.
 */
export const openStore = (address: string, identity: string | null = null): ArtifactStore =>
  open(address, true, identity);

/** A folder out of a store, or a copy of one, to read from: it need not be a store itself. Throws as `openStore` does. */
export const openFolder = (address: string): ArtifactStore => open(address, false, null);

function open(address: string, isStore: boolean, identity: string | null): ArtifactStore {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(address)?.[1]?.toLowerCase();
  if (scheme !== undefined) {
    const opened = Object.hasOwn(schemes, scheme) ? schemes[scheme]?.(address, isStore, identity) : undefined;
    if (opened) return opened;
    throw new StoreError(`there is no store for "${scheme}:" addresses; ${allowed}`, false);
  }
  if (!isAbsolute(address)) throw new StoreError(`it is not an absolute path; ${allowed}`, false);
  return new FileStore(address, isStore, identity);
}

const allowed =
  'a store is an absolute path, a file: address, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or teamfiles:/FOLDER';

function pathOfUrl(address: string): string {
  try {
    return fileURLToPath(address);
  } catch (error) {
    throw new StoreError('it is not a valid file: address; one looks like file:///data/store', false, { cause: error });
  }
}

/** Whether it is a folder of this machine, whose bounds are those of its paths; also where it is no address of a store at all. */
export const isFolderAddress = (address: string): boolean => !/^(?!file:)[A-Za-z][A-Za-z0-9+.-]*:/i.test(address);

/** Why this is not an address of a store; null where it is one. */
export function addressProblem(address: string): string | null {
  try {
    openStore(address);
    return null;
  } catch (error) {
    if (error instanceof StoreError) return error.message;
    throw error;
  }
}

/**
 * The artifact store: where a run's results go. One small interface; `open-store.ts` picks the implementation by
 * the address.
 */
import type { PublishedFile } from '../contracts/receipt.ts';
import type { CopyProof } from '../contracts/receipt-facts.ts';
import type { LinkOptions } from './bucket.ts';

export interface TransferOptions {
  signal?: AbortSignal;
  /** Called as bytes move, with the bytes since the last call. */
  onBytes?: (bytes: number) => void;
  /** Called with a sentence when the store makes us wait: throttled, unreachable, cut off. */
  onWait?: (why: string) => void;
}

/**
 * A path in a store is relative to its root, with forward slashes, and never leaves it. A store that is unavailable (not
 * mounted, not answering) throws a retryable StoreError from every call: "nothing there" is said by a store that is there.
 */
export interface ArtifactStore {
  /** As shown to people: a path or an address with a scheme. */
  readonly address: string;

  /**
   * Throws StoreError with a sentence when a file could not be written there now. Leaves nothing behind, and makes no store. `isKnown`: it was
   * a store before, and is away when it is none now.
   */
  checkWritable(isKnown: boolean): Promise<void>;

  /** Which store this is, wherever it is mounted: made with it. Null where it has lost its mark. */
  identity(): Promise<string | null>;

  /** The same as `checkWritable`, and makes the store where there is none yet: a run will write there. */
  prepare(isKnown: boolean): Promise<void>;

  /**
   * Copies a local file to `path`. Under `path` there is ever only a whole file: the one before or the new one.
   * Returns once the copy is proved to have the file's size and sha256: read back, or by the provider's own checksum over all bytes.
   * A copy that is already there with that size and sha256 is not written again.
   */
  publish(localFile: string, path: string, options?: TransferOptions): Promise<PublishedFile>;

  /** Writes small content (a receipt, a manifest) to `path`, with the same promise. */
  write(path: string, content: string | Uint8Array): Promise<PublishedFile>;

  /** Writes small content to `path` unless something is there already: of several who do so at once one succeeds. False: not he. */
  create(path: string, content: string): Promise<boolean>;

  /** Copies `path` to a local file that must not exist, verified against `expected`, else a DamagedError; leaves nothing half-written. */
  fetch(
    path: string,
    localFile: string,
    expected: Pick<PublishedFile, 'size' | 'sha256'>,
    options?: TransferOptions,
  ): Promise<void>;

  /** The content at `path`, or null when there is none. */
  read(path: string): Promise<Uint8Array | null>;

  /** Up to `length` bytes of the file at `path` from byte `offset`, with the size of the whole; null when there is none. */
  readPart(path: string, offset: number, length: number): Promise<StoredPart | null>;

  /**
   * An address from which anybody can download what is at `path` for a while, ranges too; null where there is none that others reach. It is a
   * credential, and looks at nothing: of a path where nothing is, too. Stores without such addresses have no such method.
   */
  link?(path: string, options: LinkOptions): Promise<string | null>;

  /**
   * Size and sha256 of what is at `path`, or null when there is none: read again, or as the provider has checked them when it
   * took these very bytes.
   */
  verify(path: string, options?: TransferOptions): Promise<PublishedFile | null>;

  /** How what is at `path` was proved by the last `publish`, `write` or `verify` of it here; null where none was. */
  proofOf(path: string): CopyProof | null;

  /** Files below `folder`, in order of path. */
  list(folder: string): AsyncIterable<{ path: string; size: number }>;

  /** Removes a file, or a folder with all below it. It is not an error if nothing is there. */
  remove(path: string): Promise<void>;

  /** Removes these files, each by itself, in as few requests as there can be. It is not an error if one is not there. */
  removeFiles(paths: readonly string[]): Promise<void>;

  /**
   * Removes what is left below `folder` of copies that broke off: parts that nobody is writing any longer, folders that hold
   * nothing. No file of `list` is touched.
   */
  tidy(folder: string): Promise<void>;
}

export interface StoredPart {
  bytes: Uint8Array;
  /** Bytes of the whole file. */
  size: number;
}

/** What a store could not do. `retryable` says whether the same call may succeed later (full, down, slow). */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  constructor(
    message: string,
    readonly retryable: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What the store has under a name is not what was put there. */
export class DamagedError extends StoreError {
  constructor(message: string) {
    super(message, false);
  }
}

/** Another store is at this address than the one that was asked for. A host that has the right one may do the work. */
export class OtherStoreError extends StoreError {
  constructor(address: string, wanted: string, found: string) {
    const both = `its identity is ${found}, and that of the store of this run is ${wanted}`;
    super(`the store at ${address} is another one: ${both}. Is the right disk mounted?`, true);
  }
}

/** Text at `path`, or null when there is none. */
export async function readText(store: ArtifactStore, path: string): Promise<string | null> {
  const bytes = await store.read(path);
  return bytes && Buffer.from(bytes).toString('utf8');
}

/** For `catch`: false where the store is unavailable or refuses. Any other error is thrown again. */
export function falseIfStoreUnavailable(error: unknown): false {
  if (error instanceof StoreError) return false;
  throw error;
}

/** In the root of a store: a folder for each project. */
export const experimentsFolder = 'experiments';

/** Where a run's artifacts are inside its store: `place` is the run id, or one of its lives. */
export const outputPath = (project: string, place: string): string => `${experimentsFolder}/${project}/${place}`;

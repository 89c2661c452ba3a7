/**
 * What an object store needs of a provider: keys with bytes, creation of what is not there, ranges, paged lists, and uploads of large files: in
 * parts, or of a file at once. A new provider is one class with these methods, whose every failure is a BucketError; nobody tries again
 * here, and nothing is known of runs.
 */

export type Bucket = PartsBucket | WholeFileBucket;

interface AnyBucket {
  /** As people read it, without a slash at its end: `s3://name`. */
  readonly address: string;
  readonly limits: BucketLimits;
  /** Whether it has the SHA-256 of each object with it. Where it has none of those in parts, it lies beside them (`digest-note.ts`). */
  readonly keepsDigest: boolean;

  /** Other programs begin uploads of the same kind, which must not be taken for ours. Elsewhere ours have names of their own. */
  readonly hasForeignUploads?: boolean;

  /** A clause: why the provider does not keep a key as it is; null where it does. */
  keyProblem?(key: string): string | null;

  /** Null when there is none. */
  head(key: string, call: Call): Promise<BucketObject | null>;

  /**
   * Stores all of `bytes`, whose SHA-256 is `sha256` (32 bytes): the provider refuses what arrives otherwise. `ifAbsent`: unless there is
   * an object already, which is told by null.
   */
  put(key: string, bytes: Uint8Array, sha256: Uint8Array, options: PutOptions): Promise<Proof | null>;

  /** From byte `offset` on, `length` of them or to the end. Null when there is no such object. `etag`: of that version alone. */
  get(key: string, range: ByteRange, call: Call): Promise<BucketBody | null>;

  /** In order of key, those after `after`. A list that broke off is tried again with the same `call`. */
  list(prefix: string, call: Call, after?: string): AsyncIterable<{ key: string; size: number }>;

  /** Not an error where there is none. At most `limits.deletes` at once. */
  delete(keys: readonly string[], call: Call): Promise<void>;

  /** What was begun and neither completed nor given up, of keys with this prefix: uploads in parts, and claims where those take several steps. */
  uploads(prefix: string, call: Call): AsyncIterable<{ key: string; upload: string; begunAt: Date | null }>;
  /** Not an error where there is none. */
  abortUpload(key: string, upload: string, call: Call): Promise<void>;

  /** As `link` of a store. A provider without such addresses has no such method. */
  link?(key: string, options: LinkOptions): Promise<string | null>;

  /** Now, by the provider's clock. */
  now(): number;
}

/** Where a large file is put together from parts. */
export interface PartsBucket extends AnyBucket {
  readonly putFile?: undefined;

  beginUpload(key: string, call: Call): Promise<string>;
  /** Parts that are there, whole, in order; null when the upload is not there any longer. */
  parts(key: string, upload: string, call: Call): Promise<UploadedPart[] | null>;
  /** `number` from 1. */
  putPart(
    key: string,
    upload: string,
    number: number,
    bytes: Uint8Array,
    sha256: Uint8Array,
    call: Call,
  ): Promise<UploadedPart>;
  /** The parts become the object. Throws a BucketError `gone` when the upload, or one of these parts, is not there. */
  completeUpload(key: string, upload: string, parts: readonly UploadedPart[], options: CompleteOptions): Promise<Proof>;
}

/** Where a file of any size arrives in one request. */
export interface WholeFileBucket extends AnyBucket {
  readonly parts?: undefined;

  putFile(key: string, file: FileToPut, call: Call): Promise<Proof & { sha256: Uint8Array }>;
}

export interface FileToPut {
  size: number;
  /** From its start, once for each try. Throws where the file is not of that size any longer. */
  read: () => AsyncIterable<Uint8Array>;
}

export interface BucketLimits {
  /** Bytes. */
  keyBytes: number;
  partBytes: number;
  parts: number;
  deletes: number;
}

export interface Call {
  signal?: AbortSignal | undefined;
  /** Called as something has come of it that another try of the same call need not ask for again. */
  moved?: (() => void) | undefined;
}

export interface LinkOptions {
  /** After so long no download begins with it. */
  seconds: number;
  /** Headers of the answer: `Content-Type` and `Content-Disposition`. */
  type: string;
  disposition: string;
}

export interface PutOptions extends Call {
  ifAbsent?: boolean;
  /** Kept beside the object, for whoever has to tell his own from another's. */
  writer?: string;
}

export interface CompleteOptions extends Call {
  /** Of all bytes, to be kept with the object where that can be. */
  sha256: Uint8Array;
}

export interface ByteRange {
  offset: number;
  length?: number;
  etag?: string;
}

export interface BucketObject {
  size: number;
  etag: string;
  /** Hexadecimal, of all its bytes, where the provider has checked that, or has it from whoever sent these very bytes and had them checked. */
  sha256: string | null;
  /** What the provider has checked over all bytes of an object of several parts, as `proofOfParts` says it; null where it tells none. */
  composite: string | null;
  writer: string | null;
}

export interface BucketBody extends BucketObject {
  /** From `offset` on. May end early where the connection breaks, without an error. */
  bytes: AsyncIterable<Uint8Array>;
}

/** What the provider says of what it has just stored. `proved`: its checksum over all bytes is ours. */
export interface Proof {
  etag: string | null;
  proved: boolean;
}

export interface UploadedPart {
  number: number;
  size: number;
  etag: string;
  /** 32 bytes; null where the provider has not checked it. */
  sha256: Uint8Array | null;
  /** What the provider says of its bytes now, where `sha256` is what whoever sent them said. */
  md5?: Uint8Array | null;
  storedAt: Date | null;
}

/**
 * `busy`: throttled, or failed on its side; `broken`: no whole answer came; `damaged`: what arrived there was something else; `gone`: what
 * was begun is not there any longer, or has changed; `refused`: rights, credentials, a bucket that is not there: another try needs a
 * person first; `never`: no later try can help.
 */
export type BucketTrouble = 'busy' | 'broken' | 'damaged' | 'gone' | 'refused' | 'never';

/** The message is a clause: `the bucket does not exist (NoSuchBucket)`. */
export class BucketError extends Error {
  override readonly name = 'BucketError';
  constructor(
    readonly trouble: BucketTrouble,
    message: string,
    /** How long the provider asked to be left alone. */
    readonly retryAfterMs: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

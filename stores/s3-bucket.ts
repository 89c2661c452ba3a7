/** A bucket of S3, or of a server that speaks its protocol. */
import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import {
  type BucketBody,
  BucketError,
  type BucketLimits,
  type BucketObject,
  type ByteRange,
  type Call,
  type LinkOptions,
  type PartsBucket,
  type Proof,
  type PutOptions,
  type UploadedPart,
} from './bucket.ts';
import { proofOfParts } from './part-proof.ts';
import { type S3Connection, s3Connection } from './s3-client.ts';
import { isCode, isOfCredentials, s3Error, statusOf } from './s3-errors.ts';
import { withBodyHash, withHeader } from './s3-header.ts';
import { presigned } from './s3-link.ts';

type Facts = Pick<HeadObjectCommandOutput, 'ETag' | 'ChecksumSHA256' | 'ChecksumType' | 'Metadata'>;

export class S3Bucket implements PartsBucket {
  readonly address: string;
  readonly keepsDigest = false;
  readonly hasForeignUploads = true;
  readonly limits: BucketLimits;
  readonly #pageSize: number;
  #clockOffset = 0;

  /** `partBytes`: of a part of an upload; `pageSize`: objects that one answer lists. */
  constructor(
    readonly name: string,
    { partBytes = 16 << 20, pageSize = 1000 }: { partBytes?: number; pageSize?: number } = {},
  ) {
    this.address = `s3://${name}`;
    this.limits = { keyBytes: 1024, partBytes, parts: 10_000, deletes: 1000 };
    this.#pageSize = pageSize;
  }

  async head(key: string, call: Call): Promise<BucketObject | null> {
    try {
      const found = await this.#send(call, ({ sdk, client }, options) =>
        client.send(new sdk.HeadObjectCommand({ ...this.#at(key), ChecksumMode: 'ENABLED' }), options),
      );
      return factsOf(found, found.ContentLength ?? 0);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async put(key: string, bytes: Uint8Array, sha256: Uint8Array, options: PutOptions): Promise<Proof | null> {
    try {
      const ChecksumSHA256 = base64(sha256);
      const stored = await this.#send(options, ({ sdk, client }, send) =>
        client.send(
          withBodyHash(
            new sdk.PutObjectCommand({
              ...this.#at(key),
              Body: bytes,
              ContentLength: bytes.length,
              ChecksumAlgorithm: 'SHA256',
              ChecksumSHA256,
              ...(options.ifAbsent ? { IfNoneMatch: '*' } : {}),
              ...(options.writer === undefined ? {} : { Metadata: { [writerName]: options.writer } }),
            }),
            sha256,
          ),
          send,
        ),
      );
      return { etag: stored.ETag ?? null, proved: stored.ChecksumSHA256 === ChecksumSHA256 };
    } catch (error) {
      if (options.ifAbsent && isCause(error, 412)) return null;
      throw error;
    }
  }

  async get(key: string, { offset, length, etag }: ByteRange, call: Call): Promise<BucketBody | null> {
    // No header says "no bytes at all", and a server takes one that tries to as none: it would send everything.
    if (length === 0) {
      const found = await this.head(key, call);
      return found && { ...found, bytes: nothing() };
    }
    const Range = offset === 0 && length === undefined ? undefined : rangeOf(offset, length);
    try {
      const found = await this.#send(call, ({ sdk, client }, options) =>
        client.send(
          // By its header: told of it, the SDK would end a stream whose bytes have been handed on with an error of its own.
          withHeader(
            new sdk.GetObjectCommand({
              ...this.#at(key),
              ...(Range === undefined ? {} : { Range }),
              ...(etag === undefined ? {} : { IfMatch: etag }),
            }),
            'x-amz-checksum-mode',
            'ENABLED',
          ),
          options,
        ),
      );
      const whole = /\/(\d+)$/.exec(found.ContentRange ?? '')?.[1];
      // A server that ignores the range would be read as if its first byte were the one asked for.
      if (offset > 0 && whole === undefined) throw new BucketError('never', 'the server does not know ranges');
      const size = whole === undefined ? (found.ContentLength ?? 0) : Number(whole);
      return { ...factsOf(found, size), bytes: readBody(found.Body as unknown as AsyncIterable<Uint8Array>, call) };
    } catch (error) {
      if (isMissing(error)) return null;
      if (isCause(error, 416)) {
        const found = await this.head(key, call);
        return found && { ...found, bytes: nothing() };
      }
      throw error;
    }
  }

  async *list(prefix: string, call: Call, after = ''): AsyncIterable<{ key: string; size: number }> {
    let token: string | undefined;
    do {
      const page = await this.#send(call, ({ sdk, client }, options) =>
        client.send(
          new sdk.ListObjectsV2Command({
            Bucket: this.name,
            Prefix: prefix,
            MaxKeys: this.#pageSize,
            ...(token === undefined ? (after ? { StartAfter: after } : {}) : { ContinuationToken: token }),
          }),
          options,
        ),
      );
      for (const { Key, Size } of page.Contents ?? []) if (Key !== undefined) yield { key: Key, size: Size ?? 0 };
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
      if (page.IsTruncated && token === undefined) throw new BucketError('broken', 'a list broke off');
    } while (token !== undefined);
  }

  async delete(keys: readonly string[], call: Call): Promise<void> {
    const answer = await this.#send(call, ({ sdk, client }, options) =>
      client.send(
        new sdk.DeleteObjectsCommand({
          Bucket: this.name,
          Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true },
        }),
        options,
      ),
    );
    const [error] = (answer.Errors ?? []).filter(({ Code }) => Code !== 'NoSuchKey');
    if (error) throw s3Error(error);
  }

  async *uploads(prefix: string, call: Call): AsyncIterable<{ key: string; upload: string; begunAt: Date | null }> {
    let markers: { KeyMarker?: string; UploadIdMarker?: string } | null = {};
    while (markers) {
      const at: { KeyMarker?: string; UploadIdMarker?: string } = markers;
      const page = await this.#send(call, ({ sdk, client }, options) =>
        client.send(new sdk.ListMultipartUploadsCommand({ Bucket: this.name, Prefix: prefix, ...at }), options),
      );
      for (const { Key, UploadId, Initiated } of page.Uploads ?? [])
        if (Key !== undefined && UploadId !== undefined)
          yield { key: Key, upload: UploadId, begunAt: Initiated ?? null };
      markers =
        page.IsTruncated && page.NextKeyMarker
          ? {
              KeyMarker: page.NextKeyMarker,
              ...(page.NextUploadIdMarker ? { UploadIdMarker: page.NextUploadIdMarker } : {}),
            }
          : null;
    }
  }

  async beginUpload(key: string, call: Call): Promise<string> {
    const { UploadId } = await this.#send(call, ({ sdk, client }, options) =>
      client.send(
        new sdk.CreateMultipartUploadCommand({
          ...this.#at(key),
          ChecksumAlgorithm: 'SHA256',
          ChecksumType: 'COMPOSITE',
        }),
        options,
      ),
    );
    if (UploadId === undefined) throw new BucketError('broken', 'the server gave no id for the upload');
    return UploadId;
  }

  async parts(key: string, upload: string, call: Call): Promise<UploadedPart[] | null> {
    const parts: UploadedPart[] = [];
    let marker: string | undefined;
    try {
      do {
        const page = await this.#send(call, ({ sdk, client }, options) =>
          client.send(
            new sdk.ListPartsCommand({
              ...this.#at(key),
              UploadId: upload,
              ...(marker === undefined ? {} : { PartNumberMarker: marker }),
            }),
            options,
          ),
        );
        for (const { PartNumber, Size, ETag, ChecksumSHA256, LastModified } of page.Parts ?? []) {
          if (PartNumber === undefined || ETag === undefined) continue;
          const sha256 = ChecksumSHA256 ? Buffer.from(ChecksumSHA256, 'base64') : null;
          parts.push({ number: PartNumber, size: Size ?? 0, etag: ETag, sha256, storedAt: LastModified ?? null });
        }
        marker = page.IsTruncated ? page.NextPartNumberMarker : undefined;
      } while (marker !== undefined);
    } catch (error) {
      if (error instanceof BucketError && error.trouble === 'gone') return null;
      throw error;
    }
    return parts;
  }

  async putPart(
    key: string,
    upload: string,
    number: number,
    bytes: Uint8Array,
    sha256: Uint8Array,
    call: Call,
  ): Promise<UploadedPart> {
    const ChecksumSHA256 = base64(sha256);
    const stored = await this.#send(call, ({ sdk, client }, options) =>
      client.send(
        withBodyHash(
          new sdk.UploadPartCommand({
            ...this.#at(key),
            UploadId: upload,
            PartNumber: number,
            Body: bytes,
            ContentLength: bytes.length,
            ChecksumAlgorithm: 'SHA256',
            ChecksumSHA256,
          }),
          sha256,
        ),
        options,
      ),
    );
    const isProved = stored.ChecksumSHA256 === ChecksumSHA256;
    const etag = stored.ETag ?? '';
    return { number, size: bytes.length, etag, sha256: isProved ? sha256 : null, storedAt: null };
  }

  async completeUpload(key: string, upload: string, parts: readonly UploadedPart[], call: Call): Promise<Proof> {
    const done = await this.#send(call, ({ sdk, client }, options) =>
      client.send(
        new sdk.CompleteMultipartUploadCommand({
          ...this.#at(key),
          UploadId: upload,
          MultipartUpload: {
            Parts: parts.map(({ number, etag, sha256 }) => ({
              PartNumber: number,
              ETag: etag,
              ...(sha256 ? { ChecksumSHA256: base64(sha256) } : {}),
            })),
          },
        }),
        options,
      ),
    );
    const proof = proofOfParts(parts);
    return { etag: done.ETag ?? null, proved: proof !== null && done.ChecksumSHA256 === proof };
  }

  async abortUpload(key: string, upload: string, call: Call): Promise<void> {
    await this.#send(call, ({ sdk, client }, options) =>
      client.send(new sdk.AbortMultipartUploadCommand({ ...this.#at(key), UploadId: upload }), options),
    ).catch((error: unknown) => {
      if (!(error instanceof BucketError) || error.trouble !== 'gone') throw error;
    });
  }

  link(key: string, options: LinkOptions): Promise<string | null> {
    return this.#send({}, (connection) => {
      const now = Date.now() + connection.client.config.systemClockOffset;
      return presigned(connection, this.#at(key), options, now);
    });
  }

  now(): number {
    return Date.now() + this.#clockOffset;
  }

  #at(key: string) {
    return { Bucket: this.name, Key: key };
  }

  async #send<T>(
    { signal }: Call,
    ask: (connection: S3Connection, options: { abortSignal?: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    let connection: S3Connection | null = null;
    try {
      connection = await s3Connection.get();
      const answer = await ask(connection, signal ? { abortSignal: signal } : {});
      this.#clockOffset = connection.client.config.systemClockOffset;
      return answer;
    } catch (error) {
      signal?.throwIfAborted();
      if (connection !== null && (isOfCredentials(error) || statusOf(error) === 403)) s3Connection.forget(connection);
      throw s3Error(error);
    }
  }
}

const writerName = 'epochal-writer';
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const rangeOf = (offset: number, length?: number) =>
  `bytes=${offset}-${length === undefined ? '' : offset + length - 1}`;
async function* nothing(): AsyncGenerator<Uint8Array> {}
async function* readBody(body: AsyncIterable<Uint8Array>, { signal }: Call): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    signal?.throwIfAborted();
    throw s3Error(error);
  }
}

function factsOf({ ETag, ChecksumSHA256, ChecksumType, Metadata }: Facts, size: number): BucketObject {
  const isWhole = ChecksumType !== 'COMPOSITE' && ChecksumSHA256 !== undefined && !ChecksumSHA256.includes('-');
  return {
    size,
    etag: ETag ?? '',
    sha256: isWhole ? Buffer.from(ChecksumSHA256, 'base64').toString('hex') : null,
    composite: isWhole ? null : (ChecksumSHA256 ?? null),
    writer: Metadata?.[writerName] ?? null,
  };
}

/** Of a bucket that is not there as well, which has a code only where there is a body: whoever hears null asks for the store's mark. */
const isMissing = (error: unknown) =>
  error instanceof BucketError && isCode(error.cause, 'NoSuchKey', 'NotFound') && isCause(error, 404);

const isCause = (error: unknown, status: number) => error instanceof BucketError && statusOf(error.cause) === status;

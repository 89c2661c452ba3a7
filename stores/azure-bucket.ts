/**
 * A container of Azure Blob Storage. What others call an upload in parts are blocks here, which belong to the name of a blob until a list of
 * them is committed; their names say the rest (`azure-blocks.ts`). Azure checks each block by its MD5 when it arrives.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { BlobServiceClient, ContainerClient, Metadata } from '@azure/storage-blob';
import { hasLostDot } from './azure-address.ts';
import { type Block, blockName, blockOf } from './azure-blocks.ts';
import { azureService } from './azure-client.ts';
import { azureError, codeOf, isOfCredentials } from './azure-errors.ts';
import { azureLink } from './azure-link.ts';
import {
  type BucketBody,
  BucketError,
  type BucketLimits,
  type BucketObject,
  type ByteRange,
  type Call,
  type CompleteOptions,
  type LinkOptions,
  type PartsBucket,
  type Proof,
  type PutOptions,
  type UploadedPart,
} from './bucket.ts';
import { hexOf } from './sha256.ts';
import { IdleSignal } from './stalled.ts';
import { newUploadId } from './upload-id.ts';

export class AzureBucket implements PartsBucket {
  readonly address: string;
  readonly keepsDigest = true;
  readonly limits: BucketLimits;
  readonly #pageSize: number;
  #clockOffset = 0;

  /** `partBytes`: of a block; `pageSize`: blobs that one answer lists. */
  constructor(
    readonly name: string,
    { partBytes = 16 << 20, pageSize = 5000 }: { partBytes?: number; pageSize?: number } = {},
  ) {
    this.address = `az://${name}`;
    this.limits = { keyBytes: 1024, partBytes, parts: 50_000, deletes: 256 };
    this.#pageSize = pageSize;
  }

  keyProblem(key: string): string | null {
    return hasLostDot(key) ? 'it has a name that ends with a dot, which Azure does not keep' : null;
  }

  async head(key: string, call: Call): Promise<BucketObject | null> {
    return this.#orNull(() =>
      this.#send(call, async (container, abortSignal) => {
        const found = await container.getBlobClient(key).getProperties({ abortSignal });
        this.#learnTime(found.date);
        return factsOf(found, found.contentLength ?? 0);
      }),
    );
  }

  async put(key: string, bytes: Uint8Array, sha256: Uint8Array, options: PutOptions): Promise<Proof | null> {
    const md5 = md5Of(bytes);
    const metadata = { [names.sha256]: hexOf(sha256), ...(options.writer ? { [names.writer]: options.writer } : {}) };
    try {
      const stored = await this.#send(options, (container, abortSignal, moved) =>
        container.getBlockBlobClient(key).upload(bodyOf(bytes, moved), bytes.length, {
          abortSignal,
          metadata,
          // Azure refuses bytes with another one (`azure-client.ts`).
          blobHTTPHeaders: { blobContentMD5: md5 },
          ...(options.ifAbsent ? { conditions: { ifNoneMatch: '*' } } : {}),
        }),
      );
      this.#learnTime(stored.date);
      return { etag: stored.etag ?? null, proved: isSame(stored.contentMD5, md5) };
    } catch (error) {
      if (!options.ifAbsent || !isCause(error, 'BlobAlreadyExists', 'ConditionNotMet', 'UnauthorizedBlobOverwrite'))
        throw error;
      if ((await this.head(key, options)) === null)
        throw new BucketError('busy', 'another request for the same path is under way');
      return null;
    }
  }

  async get(key: string, { offset, length, etag }: ByteRange, call: Call): Promise<BucketBody | null> {
    const nothing = async (): Promise<BucketBody | null> => {
      const found = await this.head(key, call);
      return found && { ...found, bytes: none() };
    };
    if (length === 0) return nothing();
    try {
      return await this.#orNull(() =>
        this.#send(call, async (container, abortSignal) => {
          const found = await container.getBlobClient(key).download(offset, length, {
            abortSignal,
            // Read on by us, from where it broke off.
            maxRetryRequests: 0,
            ...(etag === undefined ? {} : { conditions: { ifMatch: etag } }),
          });
          this.#learnTime(found.date);
          const whole = /\/(\d+)$/.exec(found.contentRange ?? '')?.[1];
          if (offset > 0 && whole === undefined) throw new BucketError('never', 'the server does not know ranges');
          const facts = factsOf(found, whole === undefined ? (found.contentLength ?? 0) : Number(whole));
          const body = found.readableStreamBody as Readable | undefined;
          if (facts === null || body === undefined) {
            body?.destroy();
            return null;
          }
          return { ...facts, bytes: readBody(body, call) };
        }),
      );
    } catch (error) {
      if (isCause(error, 'InvalidRange')) return nothing();
      throw error;
    }
  }

  async *list(prefix: string, call: Call, after = ''): AsyncIterable<{ key: string; size: number }> {
    // Where a list broke off Azure can only be told by a marker of its own: what was told before is passed over.
    for await (const { name, metadata, properties } of this.#blobs(prefix, false, call))
      if (after === '' || Buffer.compare(Buffer.from(name), Buffer.from(after)) > 0)
        if (!isVoid(metadata)) yield { key: name, size: properties.contentLength ?? 0 };
  }

  async delete(keys: readonly string[], call: Call): Promise<void> {
    const left = [...keys];
    const work = async () => {
      for (let key = left.pop(); key !== undefined; key = left.pop()) await this.#deleteOne(key, call);
    };
    await Promise.all(Array.from({ length: Math.min(deletesAtOnce, keys.length) }, work));
  }

  /** One for each key: the newest. Its blocks go with all others of that key. */
  async *uploads(prefix: string, call: Call): AsyncIterable<{ key: string; upload: string; begunAt: Date | null }> {
    const newestOf = async (key: string) => {
      const [newest] = (await this.#blocks(key, call)).sort((a, b) => b.storedAt.getTime() - a.storedAt.getTime());
      return newest && { key, upload: newest.upload, begunAt: newest.storedAt };
    };
    // A blob that is there has blocks to come beside it, of which no list tells.
    const ofKey = prefix.endsWith('/') ? undefined : await newestOf(prefix);
    if (ofKey) yield ofKey;
    for await (const { name, metadata, properties } of this.#blobs(prefix, true, call)) {
      if (name === prefix || properties.contentLength) continue;
      const found = await newestOf(name);
      if (found) yield found;
      else if (isVoid(metadata)) yield { key: name, upload: '', begunAt: properties.lastModified ?? null };
    }
  }

  async beginUpload(_key: string, _call: Call): Promise<string> {
    return newUploadId(this.now());
  }

  async parts(key: string, upload: string, call: Call): Promise<UploadedPart[] | null> {
    const found = new Map<number, Block>();
    for (const block of await this.#blocks(key, call)) if (block.upload === upload) found.set(block.number, block);
    return [...found.values()].sort((a, b) => a.number - b.number);
  }

  async putPart(
    key: string,
    upload: string,
    number: number,
    bytes: Uint8Array,
    sha256: Uint8Array,
    call: Call,
  ): Promise<UploadedPart> {
    const [name, md5] = [blockName(upload, number, this.now(), sha256), md5Of(bytes)];
    const stored = await this.#send(call, (container, abortSignal, moved) =>
      container
        .getBlockBlobClient(key)
        .stageBlock(name, bodyOf(bytes, moved), bytes.length, { abortSignal, transactionalContentMD5: md5 }),
    );
    this.#learnTime(stored.date);
    // It took them as those with this MD5; who says another one has taken others.
    if (stored.contentMD5 && !isSame(stored.contentMD5, md5))
      throw new BucketError('damaged', 'the bytes that arrived were others');
    return { number, size: bytes.length, etag: name, sha256, storedAt: null };
  }

  async completeUpload(
    key: string,
    _upload: string,
    parts: readonly UploadedPart[],
    { sha256, ...call }: CompleteOptions,
  ): Promise<Proof> {
    const blocks = parts.map(({ etag }) => etag);
    const done = await this.#send(call, (container, abortSignal) =>
      container
        .getBlockBlobClient(key)
        .commitBlockList(blocks, { abortSignal, metadata: { [names.sha256]: hexOf(sha256) } }),
    );
    this.#learnTime(done.date);
    return { etag: done.etag ?? null, proved: parts.every((part) => part.sha256 !== null) };
  }

  /**
   * Azure has no way to drop blocks but to commit others: none, where there is no blob. What that makes is no object to anyone here, and
   * goes at once.
   */
  async abortUpload(key: string, _upload: string, call: Call): Promise<void> {
    await this.#send(call, async (container, abortSignal) => {
      const blob = container.getBlockBlobClient(key);
      const conditions = { ifNoneMatch: '*' };
      const made = await blob
        .commitBlockList([], { abortSignal, conditions, metadata: { [names.isVoid]: '1' } })
        .catch(async (error: unknown) => {
          if (!['BlobAlreadyExists', 'ConditionNotMet'].includes(codeOf(error))) throw error;
          const found = await blob.getProperties({ abortSignal });
          return isVoid(found.metadata) ? found : null;
        });
      if (made?.etag) await blob.delete({ abortSignal, conditions: { ifMatch: made.etag } });
    }).catch((error: unknown) => {
      if (!(error instanceof BucketError) || error.trouble !== 'gone') throw error;
    });
  }

  async link(key: string, options: LinkOptions): Promise<string | null> {
    const at = { container: this.name, key };
    return this.#send({}, (_container, abortSignal, _moved, service) =>
      azureLink(service, at, options, { now: this.now(), abortSignal }),
    );
  }

  now(): number {
    return Date.now() + this.#clockOffset;
  }

  async #blocks(key: string, call: Call): Promise<Block[]> {
    const found = await this.#orNull(() =>
      this.#send(call, (container, abortSignal) =>
        container.getBlockBlobClient(key).getBlockList('uncommitted', { abortSignal }),
      ),
    );
    return (found?.uncommittedBlocks ?? []).flatMap(({ name, size }) => blockOf(name, size) ?? []);
  }

  async *#blobs(prefix: string, includeUncommitedBlobs: boolean, call: Call) {
    let continuationToken: string | undefined;
    do {
      const page = await this.#send(call, async (container, abortSignal) => {
        const pages = container
          .listBlobsFlat({ prefix, includeMetadata: true, includeUncommitedBlobs, abortSignal })
          .byPage({ maxPageSize: this.#pageSize, ...(continuationToken ? { continuationToken } : {}) });
        return (await pages.next()).value;
      });
      yield* page?.segment.blobItems ?? [];
      continuationToken = page?.continuationToken || undefined;
    } while (continuationToken);
  }

  async #deleteOne(key: string, call: Call): Promise<void> {
    await this.#orNull(() =>
      this.#send(call, (container, abortSignal) =>
        container.getBlobClient(key).delete({ abortSignal, deleteSnapshots: 'include' }),
      ),
    );
  }

  /** Null where there is no such blob. Of a container that is not there a HEAD says the same: whoever hears null asks for the store's mark. */
  async #orNull<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      if (isCause(error, 'BlobNotFound')) return null;
      throw error;
    }
  }

  async #send<T>(
    { signal }: Call,
    ask: (container: ContainerClient, signal: AbortSignal, moved: () => void, service: BlobServiceClient) => Promise<T>,
  ): Promise<T> {
    const idle = new IdleSignal(signal);
    let service: BlobServiceClient | null = null;
    try {
      service = await azureService.get();
      return await ask(service.getContainerClient(this.name), idle.signal, () => idle.moved(), service);
    } catch (error) {
      signal?.throwIfAborted();
      if (service !== null && isOfCredentials(error)) azureService.forget(service);
      throw azureError(idle.asBroken(error));
    } finally {
      idle.end();
    }
  }

  #learnTime(date: Date | undefined): void {
    if (date) this.#clockOffset = date.getTime() - Date.now();
  }
}

const names = { sha256: 'epochalsha256', writer: 'epochalwriter', isVoid: 'epochalvoid' } as const;
const deletesAtOnce = 16;
/** Bytes that are handed to the connection at once. */
const sliceBytes = 256 << 10;

const md5Of = (bytes: Uint8Array): Uint8Array => createHash('md5').update(bytes).digest();
const isSame = (a: Uint8Array | undefined, b: Uint8Array) => a !== undefined && Buffer.compare(a, b) === 0;
const isVoid = (metadata: Metadata | undefined) => metadata?.[names.isVoid] !== undefined;
const isCause = (error: unknown, ...codes: string[]) =>
  error instanceof BucketError && codes.includes(codeOf(error.cause));

async function* none(): AsyncGenerator<Uint8Array> {}

/** `moved`: called as the connection takes more of them. */
const bodyOf = (bytes: Uint8Array, moved: () => void) => () => {
  const slices = function* () {
    for (let at = 0; at < bytes.length; at += sliceBytes) {
      moved();
      yield bytes.subarray(at, at + sliceBytes);
    }
  };
  return Readable.from(slices(), { highWaterMark: 1 });
};

async function* readBody(body: Readable, { signal }: Call): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    signal?.throwIfAborted();
    throw azureError(error);
  } finally {
    body.destroy();
  }
}

interface Facts {
  etag?: string | undefined;
  metadata?: Metadata | undefined;
}

/** Null for what an upload that was given up has left for a moment. */
function factsOf({ etag, metadata }: Facts, size: number): BucketObject | null {
  if (isVoid(metadata)) return null;
  const sha256 = metadata?.[names.sha256] ?? '';
  return {
    size,
    etag: etag ?? '',
    sha256: /^[0-9a-f]{64}$/.test(sha256) ? sha256 : null,
    composite: null,
    writer: metadata?.[names.writer] ?? null,
  };
}

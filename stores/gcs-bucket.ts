/**
 * A bucket of Google Cloud Storage. It checks what arrives by its MD5, and tells the CRC32C of all bytes of an object, which tells of one that was put
 * together from parts whether it has theirs.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
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
import { crc32cOfBoth, crc32cOfText, crc32cText } from './crc32c.ts';
import { askGcs, type GcsRequest, openGcs } from './gcs-client.ts';
import { gcsError, isStatus } from './gcs-errors.ts';
import { gcsLink } from './gcs-link.ts';
import { multipart } from './gcs-multipart.ts';
import { factsOf, fields, type GcsObject, names, objectOf, pageOf } from './gcs-object.ts';
import { composedKey, partKey, partNameBytes, partOf, partsPrefix } from './gcs-parts.ts';
import { hexOf } from './sha256.ts';
import { newUploadId } from './upload-id.ts';

/** Requests. */
const atOnce = 16;

export class GcsBucket implements PartsBucket {
  readonly address: string;
  readonly keepsDigest = true;
  readonly limits: BucketLimits;
  readonly #pageSize: number;
  readonly #mostSources: number;
  #clockOffset = 0;

  /** `partBytes`: of a part of an upload; `pageSize`: objects that one answer lists; `mostSources`: that are put together at once. */
  constructor(
    readonly name: string,
    {
      partBytes = 16 << 20,
      pageSize = 1000,
      mostSources = 32,
    }: { partBytes?: number; pageSize?: number; mostSources?: number } = {},
  ) {
    this.address = `gs://${name}`;
    this.limits = { keyBytes: 1024 - partNameBytes, partBytes, parts: 10_000, deletes: 256 };
    this.#pageSize = pageSize;
    this.#mostSources = mostSources;
  }

  async head(key: string, call: Call): Promise<BucketObject | null> {
    try {
      return factsOf(objectOf(await this.#ask(call, { method: 'GET', path: this.#object(key), query: { fields } })));
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async put(key: string, bytes: Uint8Array, sha256: Uint8Array, options: PutOptions): Promise<Proof | null> {
    try {
      const metadata = { [names.sha256]: hexOf(sha256), ...(options.writer ? { [names.writer]: options.writer } : {}) };
      const { stored, isSame } = await this.#put(key, bytes, metadata, options.ifAbsent ?? false, options);
      return { etag: stored.generation, proved: isSame };
    } catch (error) {
      if (options.ifAbsent && isStatus(error, 412)) return null;
      throw error;
    }
  }

  async get(key: string, { offset, length, etag }: ByteRange, call: Call): Promise<BucketBody | null> {
    const nothing = async (): Promise<BucketBody | null> => {
      const found = await this.head(key, call);
      return found && { ...found, bytes: none() };
    };
    if (length === 0) return nothing();
    const isWhole = offset === 0 && length === undefined;
    try {
      const { headers, body } = await openGcs(call, {
        method: 'GET',
        path: this.#object(key),
        query: { alt: 'media', generation: etag },
        ...(isWhole ? {} : { headers: { range: rangeOf(offset, length) } }),
      });
      this.#learnTime(headers.get('date'));
      const whole = /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1];
      const generation = headers.get('x-goog-generation') ?? '';
      const fail = (error: BucketError) => {
        body.destroy();
        throw error;
      };
      if (offset > 0 && whole === undefined) fail(new BucketError('never', 'the server does not know ranges'));
      if (etag !== undefined && generation !== etag) fail(new BucketError('gone', 'the object has changed'));
      const size = Number(whole ?? headers.get('x-goog-stored-content-length') ?? headers.get('content-length') ?? 0);
      const told = headers.get(`x-goog-meta-${names.sha256}`);
      // Not every answer has it: who reads all of it compares.
      const sha256 = told ?? (isWhole ? await this.#sha256Of(key, generation, call) : null);
      const facts = factsOf({
        name: key,
        size,
        generation,
        ...(sha256 ? { metadata: { [names.sha256]: sha256 } } : {}),
      });
      return { ...facts, bytes: readBody(body, call) };
    } catch (error) {
      if (isStatus(error, 416)) return nothing();
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async *list(prefix: string, call: Call, after = ''): AsyncIterable<{ key: string; size: number }> {
    for await (const { name, size } of this.#objects(prefix, call, after))
      if (name !== after && partOf(name) === null) yield { key: name, size };
  }

  async delete(keys: readonly string[], call: Call): Promise<void> {
    await inParallel(keys, async (key) => {
      await this.#ask(call, { method: 'DELETE', path: this.#object(key) }).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      });
    });
  }

  async *uploads(prefix: string, call: Call): AsyncIterable<{ key: string; upload: string; begunAt: Date | null }> {
    const prefixes = prefix.endsWith('/') ? [prefix] : [partsPrefix(prefix), `${prefix}/`];
    let last = '';
    for (const one of prefixes)
      for await (const { name, timeCreated } of this.#objects(one, call)) {
        const part = partOf(name);
        if (!part || part.upload === last) continue;
        last = part.upload;
        yield { key: part.key, upload: part.upload, begunAt: timeCreated ?? null };
      }
  }

  async beginUpload(_key: string, _call: Call): Promise<string> {
    return newUploadId(this.now());
  }

  async parts(key: string, upload: string, call: Call): Promise<UploadedPart[] | null> {
    const found = new Map<number, UploadedPart>();
    for await (const object of this.#objects(partsPrefix(key, upload), call)) {
      const part = partOf(object.name);
      if (part?.sha256) found.set(part.number, partFrom(part.number, part.sha256, object));
    }
    return [...found.values()];
  }

  async putPart(
    key: string,
    upload: string,
    number: number,
    bytes: Uint8Array,
    sha256: Uint8Array,
    call: Call,
  ): Promise<UploadedPart> {
    const { stored, isSame } = await this.#put(partKey(key, upload, number, sha256), bytes, {}, false, call);
    if (!isSame) throw new BucketError('damaged', 'the bytes that arrived were others');
    return partFrom(number, sha256, stored);
  }

  async completeUpload(
    key: string,
    upload: string,
    parts: readonly UploadedPart[],
    { sha256, ...call }: CompleteOptions,
  ): Promise<Proof> {
    let pieces: Piece[] = parts.map((part) => ({
      ...pieceOf(part),
      name: partKey(key, upload, part.number, part.sha256 ?? new Uint8Array(32)),
    }));
    const most = this.#mostSources;
    for (let level = 1; pieces.length > most; level += 1) {
      const groups = Array.from({ length: Math.ceil(pieces.length / most) }, (_, index) =>
        pieces.slice(index * most, (index + 1) * most),
      );
      const made: Piece[] = [];
      await inParallel([...groups.entries()], async ([index, group]) => {
        made[index] = await this.#compose(composedKey(key, upload, index + 1, level), group, {}, call);
      });
      pieces = made;
    }
    const { generation } = await this.#compose(key, pieces, { [names.sha256]: hexOf(sha256) }, call);
    // What is left of them is as that of an upload that broke off: the next publish of this file, or the next tidy, removes it.
    await this.abortUpload(key, upload, call).catch(() => undefined);
    return { etag: generation, proved: true };
  }

  async abortUpload(key: string, upload: string, call: Call): Promise<void> {
    const left: string[] = [];
    for await (const { name } of this.#objects(partsPrefix(key, upload), call)) left.push(name);
    await this.delete(left, call);
  }

  link = (key: string, options: LinkOptions) => gcsLink({ bucket: this.name, key }, options, this.now());

  now(): number {
    return Date.now() + this.#clockOffset;
  }

  /** One of these versions of pieces, in this order, checked by what Google says of its bytes. */
  async #compose(name: string, pieces: readonly Piece[], metadata: Record<string, string>, call: Call): Promise<Piece> {
    const sourceObjects = pieces.map((piece) => ({
      name: piece.name,
      generation: piece.generation,
      objectPreconditions: { ifGenerationMatch: piece.generation },
    }));
    const composed = objectOf(
      await this.#ask(call, {
        method: 'POST',
        path: `${this.#object(name)}/compose`,
        query: { fields },
        headers: { 'content-type': 'application/json' },
        body: () => Readable.from([JSON.stringify({ sourceObjects, destination: { contentType, metadata } })]),
      }),
    );
    const size = pieces.reduce((sum, piece) => sum + piece.size, 0);
    const crc32c = pieces.reduce((crc, piece) => crc32cOfBoth(crc, piece.crc32c, piece.size), 0);
    if (composed.size !== size || composed.crc32c !== crc32cText(crc32c)) {
      await this.delete([name], call);
      throw new BucketError('damaged', 'the parts were put together to other bytes');
    }
    return { name, size, crc32c, generation: composed.generation };
  }

  async #put(key: string, bytes: Uint8Array, metadata: Record<string, string>, ifAbsent: boolean, call: Call) {
    const md5Hash = createHash('md5').update(bytes).digest('base64');
    const about = JSON.stringify({ name: key, contentType, md5Hash, metadata });
    const { headers, body } = multipart(about, bytes, contentType);
    const answer = await this.#ask(call, {
      method: 'POST',
      path: `/upload/storage/v1/b/${this.name}/o`,
      query: { uploadType: 'multipart', name: key, fields, ...(ifAbsent ? { ifGenerationMatch: 0 } : {}) },
      headers,
      body,
    });
    const stored = objectOf(answer);
    return { stored, isSame: stored.md5Hash === md5Hash && stored.size === bytes.length };
  }

  async *#objects(prefix: string, call: Call, startOffset = ''): AsyncGenerator<GcsObject> {
    let pageToken: string | undefined;
    do {
      const page = pageOf(
        await this.#ask(call, {
          method: 'GET',
          path: `/storage/v1/b/${this.name}/o`,
          query: {
            prefix,
            maxResults: this.#pageSize,
            fields: `items(${fields}),nextPageToken`,
            startOffset: startOffset || undefined,
            pageToken,
          },
        }).catch((error: unknown) => {
          // A list has no object that could be missing.
          throw isStatus(error, 404)
            ? new BucketError('refused', 'the bucket does not exist', null, { cause: error })
            : error;
        }),
      );
      yield* page.items ?? [];
      pageToken = page.nextPageToken;
    } while (pageToken);
  }

  async #sha256Of(key: string, generation: string, call: Call): Promise<string | null> {
    const found = await this.head(key, call);
    return found?.etag === generation ? found.sha256 : null;
  }

  async #ask(call: Call, request: GcsRequest): Promise<unknown> {
    const { answer, date } = await askGcs(call, request);
    this.#learnTime(date);
    return answer;
  }

  #object(key: string): string {
    return `/storage/v1/b/${this.name}/o/${encodeURIComponent(key)}`;
  }

  #learnTime(date: string | null): void {
    const time = Date.parse(date ?? '');
    if (Number.isFinite(time)) this.#clockOffset = time - Date.now();
  }
}

const contentType = 'application/octet-stream';

/** A version of an object, as part of another one. */
interface Piece {
  name: string;
  size: number;
  generation: string;
  crc32c: number;
}

/** Its version and checksum are its ETag. */
function partFrom(
  number: number,
  sha256: Uint8Array,
  { size, generation, crc32c, md5Hash, timeCreated }: GcsObject,
): UploadedPart {
  const md5 = md5Hash ? Buffer.from(md5Hash, 'base64') : null;
  return { number, size, etag: `${generation} ${crc32c ?? ''}`, sha256, md5, storedAt: timeCreated ?? null };
}

function pieceOf({ size, etag }: UploadedPart): Omit<Piece, 'name'> {
  const [generation = '', text] = etag.split(' ');
  const crc32c = crc32cOfText(text);
  if (crc32c === null) throw new BucketError('gone', 'the server tells no CRC32C of a part');
  return { size, generation, crc32c };
}

/** Of a bucket that is not there as well, where it does not say so: whoever hears null asks for the store's mark. */
const isMissing = (error: unknown) => isStatus(error, 404) && error instanceof BucketError && error.trouble === 'gone';

const rangeOf = (offset: number, length?: number) =>
  `bytes=${offset}-${length === undefined ? '' : offset + length - 1}`;

async function* none(): AsyncGenerator<Uint8Array> {}

async function* readBody(body: Readable, { signal }: Call): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    signal?.throwIfAborted();
    throw gcsError(error);
  } finally {
    body.destroy();
  }
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const one = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, one));
}

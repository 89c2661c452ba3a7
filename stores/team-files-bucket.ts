/**
 * The Team Files of a Supervisely team, below which a store has a folder. The server tells the SHA-256 of all bytes of a file that it has. It has neither
 * uploads in parts nor conditions for a write: a large file goes in one request, and claims draw tickets.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  type BucketBody,
  BucketError,
  type BucketLimits,
  type BucketObject,
  type ByteRange,
  type Call,
  type FileToPut,
  type Proof,
  type PutOptions,
  type WholeFileBucket,
} from './bucket.ts';
import { type ClaimOptions, ClaimTickets, type Tickets, ticketPattern } from './claim-tickets.ts';
import { hexOf, sha256Of } from './sha256.ts';
import { askTeamFiles, openTeamFiles, type TeamFilesRequest } from './team-files-client.ts';
import { isStatus, teamFilesError } from './team-files-errors.ts';
import {
  factsOf,
  filesSchema,
  hashIn,
  pageSchema,
  sizeOf,
  type TeamFile,
  timeOf,
  uploadedSchema,
} from './team-files-object.ts';

/** A list on its way: its pages are in no order, so that nothing of them is told before all are there. */
interface Begun {
  files: Map<string, TeamFile>;
  token: string | undefined;
  /** Of pages that were turned. */
  turned: Set<string>;
}

export interface TeamFilesOptions {
  /** Of the largest file that is held in memory. */
  partBytes?: number;
  claims?: Pick<ClaimOptions, 'staleMs' | 'pollMs'>;
  /** So long a request may stand still. */
  idleMs?: number;
}

export class TeamFilesBucket implements WholeFileBucket {
  readonly address = 'teamfiles:';
  readonly keepsDigest = true;
  readonly limits: BucketLimits;
  readonly #claims: NonNullable<TeamFilesOptions['claims']>;
  readonly #idle: Pick<TeamFilesRequest, 'idleMs'>;
  readonly #tickets = new ClaimTickets();
  readonly #begun = new WeakMap<Call, Begun>();
  #clockOffset = 0;

  constructor({ partBytes = 16 << 20, claims = {}, idleMs }: TeamFilesOptions = {}) {
    this.limits = { keyBytes: 1024, partBytes, parts: 1, deletes: 500 };
    this.#claims = claims;
    this.#idle = idleMs === undefined ? {} : { idleMs };
  }

  async head(key: string, call: Call): Promise<BucketObject | null> {
    const file = await this.#file(key, call);
    return file && factsOf(file);
  }

  async put(key: string, bytes: Uint8Array, sha256: Uint8Array, options: PutOptions): Promise<Proof | null> {
    const put = () => this.#put(key, { size: bytes.length, read: () => [bytes] }, () => sha256, options);
    if (!options.ifAbsent) return put();
    const { signal, writer = randomUUID() } = options;
    return this.#tickets.first(this.#ticketsOf(key, { signal }), writer, put, { ...this.#claims, signal });
  }

  async putFile(key: string, file: FileToPut, call: Call): Promise<Proof & { sha256: Uint8Array }> {
    const hash = createHash('sha256');
    const read = async function* () {
      for await (const chunk of file.read()) {
        hash.update(chunk);
        yield chunk;
      }
    };
    let sha256 = new Uint8Array();
    const ended = () => {
      sha256 = hash.digest();
      return sha256;
    };
    const proof = await this.#put(key, { size: file.size, read }, ended, call);
    return { ...proof, sha256 };
  }

  async get(key: string, { offset, length, etag }: ByteRange, call: Call): Promise<BucketBody | null> {
    const nothing = async (): Promise<BucketBody | null> => {
      const found = await this.head(key, call);
      return found && { ...found, bytes: none() };
    };
    if (length === 0) return nothing();
    const isWhole = offset === 0 && length === undefined;
    const answer = await openTeamFiles(call, {
      ...this.#idle,
      method: 'file-storage.download',
      json: { path: pathOf(key) },
      ...(isWhole ? {} : { headers: { range: rangeOf(offset, length) } }),
    }).catch(async (error: unknown) => {
      // Of a file that is not there it says so in one way or another.
      if (isStatus(error, 400, 404, 416)) {
        const found = await nothing();
        if (found === null || (isStatus(error, 416) && offset >= found.size)) return found;
      }
      throw error;
    });
    if (answer === null || 'bytes' in answer) return answer;
    try {
      const { headers } = answer;
      this.#learnTime(headers.date);
      const whole = /\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1];
      const told = hashIn([headers['x-content-checksum-sha256']].flat()[0]);
      // A part says how large it is itself.
      const all = answer.statusCode === 206 ? whole : headers['content-length'];
      const size = Number(all ?? Number.NaN);
      const isKnown = told !== null && Number.isFinite(size);
      const facts = isKnown ? factsFrom(told, size) : await this.head(key, call);
      if (etag !== undefined && facts?.etag !== etag) throw new BucketError('gone', 'the file has changed');
      if (facts === null) {
        answer.destroy();
        return null;
      }
      // A server that does not know ranges sends all of it.
      const skip = answer.statusCode === 206 ? 0 : offset;
      return { ...facts, bytes: readBody(answer, call, skip, length) };
    } catch (error) {
      answer.destroy();
      throw error;
    }
  }

  async *list(prefix: string, call: Call, after = ''): AsyncIterable<{ key: string; size: number }> {
    const begun = this.#begun.get(call) ?? newList();
    this.#begun.set(call, begun);
    const files = await this.#below(prefix, call, begun);
    this.#begun.delete(call);
    const found = files.map((file) => ({ key: keyOf(file), size: sizeOf(file) }));
    for (const one of found.sort((a, b) => (a.key < b.key ? -1 : 1)))
      if (one.key > after && ticketOf(one.key) === null) yield one;
  }

  async delete(keys: readonly string[], call: Call): Promise<void> {
    const remove = (some: readonly string[]) =>
      this.#ask(call, { method: 'file-storage.bulk.remove', json: { paths: some.map(pathOf) } }, () => undefined);
    if (keys.length === 0) return;
    await remove(keys).catch(async (error: unknown) => {
      // One of them is not there: then the others are to go without it.
      if (!isStatus(error, 400, 404)) throw error;
      const there: string[] = [];
      for (const key of keys) if (await this.head(key, call)) there.push(key);
      if (there.length === keys.length) throw error;
      if (there.length > 0) await remove(there);
    });
  }

  async *uploads(prefix: string, call: Call): AsyncIterable<{ key: string; upload: string; begunAt: Date | null }> {
    const folders = prefix.endsWith('/') ? [prefix] : [ticketFolder(prefix), `${prefix}/`];
    for (const folder of folders)
      for (const file of await this.#below(folder, call)) {
        const ticket = ticketOf(keyOf(file));
        if (ticket) yield { key: ticket.key, upload: ticket.name, begunAt: timeOf(file) };
      }
  }

  async abortUpload(key: string, upload: string, call: Call): Promise<void> {
    await this.delete([`${ticketFolder(key)}${upload}`], call);
  }

  now(): number {
    return Date.now() + this.#clockOffset;
  }

  /** `sha256` is asked for when all is sent. */
  async #put(
    key: string,
    { size, read }: { size: number; read: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array> },
    sha256: () => Uint8Array,
    call: Call,
  ): Promise<Proof> {
    const bytes = async function* () {
      yield* read();
    };
    const upload = { query: { path: pathOf(key) }, size, bytes };
    const stored = await this.#ask(call, { method: 'file-storage.upload', upload }, (it) => uploadedSchema.parse(it));
    const [facts, sent] = [factsOf(stored), hexOf(sha256())];
    if (stored.path.normalize() !== pathOf(key).normalize())
      throw new BucketError('refused', `the server does not replace what is there, and has it as ${stored.path}`);
    if ((facts.sha256 ?? sent) !== sent || facts.size !== size) {
      // There is no other name for what has not arrived whole: only what is still that is removed.
      if ((await this.head(key, call))?.etag === facts.etag) await this.delete([key], call);
      throw new BucketError('damaged', 'the bytes that arrived were others');
    }
    return { etag: facts.etag, proved: facts.sha256 !== null };
  }

  #ticketsOf(key: string, call: Call): Tickets {
    const folder = ticketFolder(key);
    const text = Buffer.from('Somebody claims the file beside this folder.\n');
    return {
      list: async () =>
        (await this.#below(folder, call)).flatMap((file) => {
          const ticket = ticketOf(keyOf(file));
          return ticket?.key === key ? [{ name: ticket.name, writtenAt: timeOf(file) }] : [];
        }),
      write: async (name) => {
        await this.put(`${folder}${name}`, text, sha256Of(text), call);
      },
      remove: (name) => this.delete([`${folder}${name}`], call),
      isTaken: async () => (await this.#file(key, call)) !== null,
      now: () => this.now(),
    };
  }

  /** By its path, which is answered with what is below it as well. */
  async #file(key: string, call: Call): Promise<TeamFile | null> {
    const json = { path: pathOf(key), recursive: true };
    const files = await this.#ask(call, { method: 'file-storage.list', json }, (it) => filesSchema.parse(it));
    return files.find(({ path }) => path === pathOf(key)) ?? null;
  }

  /** All files below a folder. `begun`: what is known of them. */
  async #below(folder: string, call: Call, begun: Begun = newList()): Promise<TeamFile[]> {
    const listed = { path: pathOf(folder), recursive: true };
    do {
      const json = {
        ...listed,
        ...{ withMetadata: true, files: true, folders: false },
        ...(begun.token === undefined ? {} : { continuationToken: begun.token }),
      };
      const page = await this.#ask(call, { method: 'file-storage.v2.list', json }, (it) => pageSchema.parse(it)).catch(
        async (error: unknown) => {
          // No such folder, or a server without pages: the old list tells which.
          if (begun.token !== undefined || !isStatus(error, 404)) throw error;
          const request = { method: 'file-storage.list', json: listed };
          const files = await this.#ask(call, request, (it) => filesSchema.parse(it));
          return { entities: files.map((file) => ({ ...file, type: 'file' })), continuationToken: null };
        },
      );
      for (const file of page.entities)
        if (file.type === 'file' && keyOf(file).startsWith(folder)) begun.files.set(file.path, file);
      const next = page.continuationToken || undefined;
      if (next !== undefined && begun.turned.has(next))
        throw new BucketError('refused', 'the server gives pages of its list over and over');
      if (next !== undefined) begun.turned.add(next);
      begun.token = next;
      call.moved?.();
    } while (begun.token !== undefined);
    return [...begun.files.values()];
  }

  async #ask<T>(call: Call, request: TeamFilesRequest, parse: (answer: unknown) => T): Promise<T> {
    const { answer, date } = await askTeamFiles(call, { ...this.#idle, ...request }, parse);
    this.#learnTime(date);
    return answer;
  }

  #learnTime(date: string | undefined): void {
    const time = Date.parse(date ?? '');
    if (Number.isFinite(time)) this.#clockOffset = time - Date.now();
  }
}

const newList = (): Begun => ({ files: new Map(), token: undefined, turned: new Set() });

const pathOf = (key: string) => `/${key}`;
const keyOf = ({ path }: TeamFile) => path.replace(/^\//, '');

const rangeOf = (offset: number, length?: number) =>
  `bytes=${offset}-${length === undefined ? '' : offset + length - 1}`;

const factsFrom = (sha256: string, size: number): BucketObject => ({
  ...{ size, etag: sha256, sha256, composite: null, writer: null },
});

const ticketMark = '.epochal-claims-';

/** Beside the file, which no list of files has. */
function ticketFolder(key: string): string {
  const at = key.lastIndexOf('/') + 1;
  return `${key.slice(0, at)}${ticketMark}${key.slice(at)}/`;
}

/** Null where it is none. */
function ticketOf(key: string): { key: string; name: string } | null {
  const [, folder = '', of, name = ''] = /^(.*\/)?\.epochal-claims-([^/]+)\/([^/]+)$/s.exec(key) ?? [];
  return of !== undefined && ticketPattern.test(name) ? { key: `${folder}${of}`, name } : null;
}

async function* none(): AsyncGenerator<Uint8Array> {}

/** Without its first `skip` bytes, and `length` of them at most. */
async function* readBody(
  body: IncomingMessage,
  { signal }: Call,
  skip: number,
  length = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array> {
  let [before, left] = [skip, length];
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      const bytes = chunk.subarray(Math.min(before, chunk.length)).subarray(0, left);
      before -= Math.min(before, chunk.length);
      left -= bytes.length;
      if (bytes.length > 0) yield bytes;
      if (left === 0) return;
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw teamFilesError(error);
  } finally {
    body.destroy();
  }
}

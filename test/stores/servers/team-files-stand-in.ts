/**
 * Stands in for a Supervisely server, as far as Team Files and projects of images go: what its own SDK sends and reads, which the tests have talk to it as well. Files
 * are in memory. Its teams have quirks that servers may have.
 */
import { createHash, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { posix } from 'node:path';
import { ProjectStandIn, sendAnswer } from './project-stand-in.ts';
import { tarOf } from './tar.ts';

export const teams = {
  plain: 7,
  /** Tells no hash of any file. */
  hashless: 8,
  /** Sends whole files, whatever range is asked for. */
  rangeless: 9,
  /** Keeps what is there, and stores under another name. */
  renaming: 10,
  /** Has no lists over pages. */
  old: 11,
  /** The user of the token may look at its files, and no more. */
  readOnly: 12,
} as const;
const known: ReadonlySet<number> = new Set(Object.values(teams));

interface StoredFile {
  id: number;
  team: number;
  path: string;
  bytes: Buffer;
  hash: string;
  createdAt: Date;
  updatedAt: Date;
}

/** A request that is refused, as the server says it. */
class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

type Query = URLSearchParams;
type Parameters = Record<string, unknown>;

export class TeamFilesStandIn {
  readonly #files = new Map<string, StoredFile>();
  readonly #server = createServer((request, response) => void this.#handle(request, response));
  readonly data = new ProjectStandIn();
  /** Methods that were asked for. */
  readonly asked: string[] = [];
  #lastId = 1000;

  constructor(readonly token: string) {}

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return `http://127.0.0.1:${address.port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://host');
    const method = /^\/public\/api\/v3\/([\w.-]+)$/.exec(url.pathname)?.[1] ?? '';
    try {
      const body = await bodyOf(request);
      // Of an upload that broke off nothing is kept.
      if (body === null) return;
      if (method === '') throw new Refused(404, 'Not found');
      const token = request.headers['x-api-key'];
      if (token === undefined) throw new Refused(400, 'x-api-key is required: no API token');
      if (token !== this.token) throw new Refused(401, 'Unauthorized');
      this.asked.push(method);
      if (!method.startsWith('file-storage.') && !method.startsWith('instance.')) {
        sendAnswer(response, this.data.answer(method, json(body)) ?? missing());
        return;
      }
      if (method === 'file-storage.download') return this.#download(json(body), request, response);
      answer(response, 200, await this.#call(method, url.searchParams, body, request));
    } catch (error) {
      const [status, message] = error instanceof Refused ? [error.status, error.message] : [500, String(error)];
      answer(response, status, { error: 'Request failed', details: { message } });
    }
  }

  async #call(method: string, query: Query, body: Buffer, request: IncomingMessage): Promise<unknown> {
    const isOfReader = Number(query.get('teamId') ?? 0) === teams.readOnly;
    if (isOfReader && method.includes('upload')) throw new Refused(403, 'Not enough rights in the team');
    switch (method) {
      case 'instance.version':
        return { version: '6.15.0' };
      case 'file-storage.upload':
        return this.#info(this.#store(teamIn(query.get('teamId')), query.get('path') ?? '', body));
      case 'file-storage.bulk.upload':
        return this.#uploadForm(teamIn(query.get('teamId')), body, request.headers['content-type'] ?? '');
      case 'file-storage.list':
        return this.#listed(json(body)).map((file) => this.#info(file));
      case 'file-storage.v2.list':
        return this.#page(json(body));
      case 'file-storage.info':
        return this.#info([...this.#files.values()].find(({ id }) => id === json(body).id) ?? missing());
      case 'file-storage.remove':
        return this.#remove(json(body), [String(json(body).path)]);
      case 'file-storage.bulk.remove':
        return this.#remove(json(body), json(body).paths as string[]);
      default:
        throw new Refused(404, `Method ${method} is not there`);
    }
  }

  #store(team: number, asked: string, bytes: Buffer): StoredFile {
    if (!asked.startsWith('/') || asked.endsWith('/')) throw new Refused(400, `"path" is not the path of a file`);
    let path = asked;
    const { dir, name, ext } = posix.parse(asked);
    for (let number = 0; team === teams.renaming && this.#files.has(`${team}:${path}`); number += 1)
      path = posix.join(dir, `${name}_${String(number).padStart(3, '0')}${ext}`);
    const there = this.#files.get(`${team}:${path}`);
    const [now, hash] = [new Date(), createHash('sha256').update(bytes).digest('base64')];
    this.#lastId += randomInt(1, 9);
    const id = there?.id ?? this.#lastId;
    const file = { id, team, path, bytes, hash, createdAt: there?.createdAt ?? now, updatedAt: now };
    this.#files.set(`${team}:${path}`, file);
    return file;
  }

  async #uploadForm(team: number, body: Buffer, type: string): Promise<unknown> {
    const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData();
    const [names, folders, files] = [form.getAll('name'), form.getAll('path'), form.getAll('file')];
    const stored = files.map(async (file, index) => {
      const bytes = typeof file === 'string' ? Buffer.from(file) : Buffer.from(await file.arrayBuffer());
      return this.#info(this.#store(team, `${folders[index]}${names[index]}`, bytes));
    });
    return Promise.all(stored);
  }

  /** In an order that nobody knows. */
  #below(team: number, path: string, recursive: boolean): StoredFile[] {
    const folder = path.endsWith('/') ? path : `${path}/`;
    const isIn = (file: StoredFile) =>
      file.team === team &&
      ((recursive && file.path === path) ||
        (file.path.startsWith(folder) && (recursive || !file.path.slice(folder.length).includes('/'))));
    return [...this.#files.values()].filter(isIn).sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
  }

  #listed({ teamId, path, recursive }: Parameters): StoredFile[] {
    return this.#below(teamIn(teamId), String(path), recursive !== false);
  }

  #page({ teamId, path, recursive, limit, continuationToken, files, folders }: Parameters): unknown {
    const team = teamIn(teamId);
    if (team === teams.old) throw new Refused(404, 'Method file-storage.v2.list is not there');
    const folder = String(path);
    const found = files === false ? [] : this.#below(team, folder, recursive === true);
    const after = Buffer.from(String(continuationToken ?? ''), 'base64').toString();
    const left = found.filter((file) => orderOf(file) > after);
    // Small, so that whoever sets no limit has to turn pages.
    const most = Number(limit ?? 3);
    const page = left.slice(0, most);
    const last = left.length > most ? page.at(-1) : undefined;
    const inside = this.#below(team, folder, true).map((file) => file.path.slice(folder.length).split('/'));
    const names = new Set(inside.flatMap(([name = '', ...more]) => (more.length > 0 ? [name] : [])));
    const entities = [
      ...page.map((file) => ({ type: 'file', ...this.#info(file) })),
      ...(folders === false || recursive === true || continuationToken
        ? []
        : [...names].map((name) => ({ type: 'folder', name, path: `${folder}${name}/` }))),
    ];
    return { entities, ...(last ? { continuationToken: Buffer.from(orderOf(last)).toString('base64') } : {}) };
  }

  #download({ teamId, path }: Parameters, request: IncomingMessage, response: ServerResponse): void {
    const [team, asked] = [teamIn(teamId), String(path)];
    if (asked.endsWith('/')) {
      // With the folder's own name, and not those above it.
      const above = posix.dirname(asked).replace(/\/$/, '').length + 1;
      const files = this.#below(team, asked, true).map(({ path, bytes }) => ({ bytes, path: path.slice(above) }));
      response.writeHead(200, { 'content-type': 'application/x-tar' }).end(tarOf(files));
      return;
    }
    const file = this.#files.get(`${team}:${asked}`) ?? missing();
    const { bytes, hash } = file;
    const headers = {
      'content-type': 'application/octet-stream',
      ...(team === teams.hashless ? {} : { 'x-content-checksum-sha256': hash }),
    };
    const range = team === teams.rangeless ? null : rangeIn(request.headers.range, bytes.length);
    if (range === null) {
      response.writeHead(200, { ...headers, 'content-length': bytes.length }).end(bytes);
      return;
    }
    const [start, end] = range;
    if (start >= bytes.length) throw new Refused(416, 'Range not satisfiable');
    response
      .writeHead(206, {
        ...headers,
        'content-length': end - start + 1,
        'content-range': `bytes ${start}-${end}/${bytes.length}`,
      })
      .end(bytes.subarray(start, end + 1));
  }

  #remove({ teamId }: Parameters, paths: readonly string[]): unknown {
    const team = teamIn(teamId);
    for (const path of paths)
      if (path.endsWith('/'))
        for (const file of this.#below(team, path, true)) this.#files.delete(`${team}:${file.path}`);
      else if (!this.#files.delete(`${team}:${path}`)) throw new Refused(404, `File ${path} is not there`);
    return { success: true };
  }

  #info({ id, team, path, bytes, hash, createdAt, updatedAt }: StoredFile) {
    const [name, ext] = [posix.basename(path), posix.extname(path).slice(1)];
    return {
      ...{ id, userId: 3, teamId: team, name, path },
      hash: team === teams.hashless ? null : hash,
      meta: { ext, mime: 'application/octet-stream', size: bytes.length },
      storagePath: `/storage/${id}`,
      fullStorageUrl: `http://127.0.0.1:9/storage/${id}`,
      createdAt: createdAt.toISOString(),
      updatedAt: updatedAt.toISOString(),
    };
  }
}

const orderOf = ({ path }: StoredFile) => createHash('md5').update(path).digest('hex');

const missing = (): never => {
  throw new Refused(404, 'File is not there');
};

const json = (body: Buffer): Parameters => JSON.parse(body.toString()) as Parameters;

function teamIn(value: unknown): number {
  const team = Number(value);
  if (!known.has(team)) throw new Refused(403, 'Access denied to the team');
  return team;
}

/** First and last byte; null where all is asked for. `bytes=-5` are the last five. */
function rangeIn(header: string | undefined, size: number): [number, number] | null {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (from === undefined || to === undefined || `${from}${to}` === '') return null;
  if (from === '') return [Math.max(0, size - Number(to)), size - 1];
  return [Number(from), Math.min(to === '' ? size - 1 : Number(to), size - 1)];
}

/** Null of one that broke off. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    return Buffer.concat(chunks);
  } catch {
    return null;
  }
}

function answer(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value ?? {});
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

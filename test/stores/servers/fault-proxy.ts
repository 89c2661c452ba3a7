/** Between a client and a server that speaks HTTP: hands everything on, notes it, and breaks what a test asks for. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Seen {
  method: string;
  /** Path and query, as they were sent. */
  url: string;
  headers: IncomingMessage['headers'];
  /** Bytes of the body that were sent to the server, and of the answer's. */
  sent: number;
  received: number;
  status: number | null;
}

export type Fault =
  /** Answers in the place of the server. */
  | { kind: 'answer'; status: number; headers?: Record<string, string>; body?: string }
  /** The connection ends after so many bytes of the request's body; the server gets no more either. */
  | { kind: 'cutRequest'; after: number }
  /** The server does it, and nobody hears of it. */
  | { kind: 'loseAnswer' }
  /** The connection ends after so many bytes of the answer's body. */
  | { kind: 'cutAnswer'; after: number }
  /** After so many bytes of the answer's body nothing comes any longer, and the connection stays open. */
  | { kind: 'stallAnswer'; after: number }
  /** So many bytes, and headers that say that this is all. */
  | { kind: 'shortAnswer'; bytes: number }
  /** One bit of the body is another; `at`: of that byte of it. */
  | { kind: 'corruptRequest'; at?: number }
  | { kind: 'corruptAnswer' }
  /** As if the server, or the client, did not know of these headers. */
  | { kind: 'dropAnswerHeaders'; names: RegExp }
  | { kind: 'dropRequestHeaders'; names: RegExp }
  | { kind: 'delay'; ms: number };

export type When = (seen: Seen) => boolean;

export class FaultProxy {
  readonly seen: Seen[] = [];
  #faults: { when: When; fault: Fault; times: number }[] = [];

  private constructor(
    readonly server: Server,
    readonly target: URL,
  ) {}

  static async to(endpoint: string): Promise<FaultProxy> {
    const server = createServer();
    const proxy = new FaultProxy(server, new URL(endpoint));
    server.on('request', (from, to) => proxy.#handle(from, to));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The next so many requests that are like that meet this fault; of several the one that was asked for first. */
  break(when: When, fault: Fault, times = 1): void {
    this.#faults.push({ when, fault, times });
  }

  /** How many faults that were asked for have not come up. */
  get pending(): number {
    return this.#faults.filter(({ times }) => times > 0 && Number.isFinite(times)).length;
  }

  heal(): void {
    this.#faults = [];
    this.seen.length = 0;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
  }

  #handle(from: IncomingMessage, to: ServerResponse): void {
    const { method = 'GET', url = '/', headers } = from;
    const seen: Seen = { method, url, headers, sent: 0, received: 0, status: null };
    this.seen.push(seen);
    const found = this.#faults.find(({ when, times }) => times > 0 && when(seen));
    if (found) found.times -= 1;
    const fault = found?.fault ?? null;
    from.on('error', () => undefined);
    to.on('error', () => undefined);
    if (fault?.kind === 'answer') {
      seen.status = fault.status;
      from.resume();
      from.on('end', () => to.writeHead(fault.status, fault.headers).end(fault.body ?? ''));
      return;
    }
    const ms = fault?.kind === 'delay' ? fault.ms : 0;
    const timer = setTimeout(() => this.#forward(from, to, seen, fault), ms);
    // Nobody waits for it any longer.
    to.on('close', () => clearTimeout(timer));
  }

  #forward(from: IncomingMessage, to: ServerResponse, seen: Seen, fault: Fault | null): void {
    const { hostname, port } = this.target;
    // The signature covers the host that the client knows: the headers stay as they are.
    const sent = fault?.kind === 'dropRequestHeaders' ? without(from.headers, fault.names) : from.headers;
    const onward = request({ hostname, port, method: seen.method, path: seen.url, headers: sent });
    const cut = () => {
      onward.destroy();
      to.destroy();
    };
    onward.on('error', cut);
    to.on('close', () => onward.destroy());
    from.on('data', (chunk: Buffer) => {
      const bytes = fault?.kind === 'corruptRequest' ? corrupted(chunk, seen.sent, fault.at) : chunk;
      seen.sent += chunk.length;
      if (fault?.kind === 'cutRequest' && seen.sent > fault.after) return cut();
      if (!onward.write(bytes)) {
        from.pause();
        onward.once('drain', () => from.resume());
      }
    });
    // One without a body has nothing after which it could be cut.
    from.on('end', () => (fault?.kind === 'cutRequest' && fault.after === 0 ? cut() : onward.end()));
    onward.on('response', (answer) => {
      seen.status = answer.statusCode ?? null;
      if (fault?.kind === 'loseAnswer') {
        answer.resume();
        answer.on('end', cut);
        return;
      }
      const headers =
        fault?.kind === 'dropAnswerHeaders' ? without(answer.headers, fault.names) : { ...answer.headers };
      if (fault?.kind === 'shortAnswer') headers['content-length'] = String(fault.bytes);
      to.writeHead(answer.statusCode ?? 500, headers);
      answer.on('data', (chunk: Buffer) => {
        const bytes = fault?.kind === 'corruptAnswer' && seen.received === 0 ? flipped(chunk) : chunk;
        const before = seen.received;
        seen.received += chunk.length;
        const most =
          fault?.kind === 'cutAnswer' || fault?.kind === 'stallAnswer'
            ? fault.after
            : fault?.kind === 'shortAnswer'
              ? fault.bytes
              : Number.POSITIVE_INFINITY;
        to.write(bytes.subarray(0, Math.max(0, most - before)), () => {
          if (fault?.kind === 'cutAnswer' && seen.received > most) cut();
        });
      });
      if (fault?.kind !== 'stallAnswer') answer.on('end', () => to.end());
      answer.on('error', cut);
    });
  }
}

/** Of a chunk that comes after `before` bytes. */
function corrupted(chunk: Buffer, before: number, at: number | undefined): Buffer {
  if (at === undefined) return before === 0 ? flipped(chunk) : chunk;
  return at >= before && at < before + chunk.length ? flipped(chunk, at - before) : chunk;
}

function flipped(bytes: Buffer, at = bytes.length - 1): Buffer {
  const other = Buffer.from(bytes);
  other[at] = (other[at] ?? 0) ^ 1;
  return other;
}

const without = (headers: IncomingMessage['headers'], names: RegExp): IncomingMessage['headers'] =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !names.test(name)));

/** Bytes of a stored file that come straight from its server, and from a worker where that breaks. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { nearestBytes, worthLink } from '../../client/direct-bytes.ts';
import type { FilesPlace } from '../../client/run-files.ts';

const content = randomBytes(6 * worthLink);
const size = content.length;
const places: FilesPlace[] = [{ source: 'store', run: 'r', project: 'p', store: null, asked: { pool: 'gpu' } }];
/** What the server does with a request for bytes from `start` up to `end`; the last one with all that follow. */
let answers: ((to: ServerResponse, start: number, end: number) => void)[];
let ranges: string[];
let server: Server;
beforeEach(async () => {
  ranges = [];
  server = createServer(({ headers }, to) => {
    const range = String(headers.range);
    ranges.push(range);
    const [, start = 0, last = 0] = /^bytes=(\d+)-(\d+)$/.exec(range)?.map(Number) ?? [];
    (answers.length > 1 ? answers.shift() : answers[0])?.(to, start, last + 1);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const head = (to: ServerResponse, start: number, end: number, of = size) =>
  to.writeHead(206, { 'content-range': `bytes ${start}-${end - 1}/${of}`, 'content-length': end - start });
const whole = (to: ServerResponse, start: number, end: number) =>
  head(to, start, end).end(content.subarray(start, end));
const cutAfter = (bytes: number) => (to: ServerResponse, start: number, end: number) =>
  head(to, start, end).write(content.subarray(start, start + bytes), () => setImmediate(() => to.destroy()));

/** What came of the bytes of a range, and what a worker was asked for. */
async function read(range = { start: 0, end: size }, hasLinks = true) {
  const byWorker: string[] = [];
  let links = 0;
  const files = {
    link: async () => {
      links += 1;
      return hasLinks ? `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret` : null;
    },
    async *bytesWherever(_: readonly FilesPlace[], __: string, { start, end }: { start: number; end: number }) {
      byWorker.push(`${start}-${end}`);
      yield content.subarray(start, end);
    },
  };
  const hash = createHash('sha256');
  for await (const bytes of nearestBytes(files, places, 'file', { ...range, size })) hash.update(bytes);
  const expected = createHash('sha256').update(content.subarray(range.start, range.end)).digest('hex');
  expect(hash.digest('hex')).toBe(expected);
  return { byWorker, links };
}

it('come from the server alone where it sends them, whole or a range', async () => {
  answers = [whole];
  expect(await read()).toEqual({ byWorker: [], links: 1 });
  expect(await read({ start: 10, end: 10 + 2 * worthLink })).toEqual({ byWorker: [], links: 1 });
  expect(ranges).toEqual([`bytes=0-${size - 1}`, `bytes=10-${9 + 2 * worthLink}`]);
});

it('are asked for again from where a connection broke, with another link', async () => {
  answers = [cutAfter(2 * worthLink), cutAfter(2 * worthLink), whole];
  const { byWorker, links } = await read();
  expect({ byWorker, links }).toEqual({ byWorker: [], links: 3 });
  expect(ranges.map((range) => /^bytes=\d+-6291455$/.test(range))).toEqual([true, true, true]);
});

it.each<[string, typeof answers]>([
  ['refuses', [(to) => to.writeHead(403).end('<Error/>')]],
  ['sends them elsewhere', [(to) => to.writeHead(302, { location: '/elsewhere' }).end(), whole]],
  ['has another version of the file', [(to, start, end) => head(to, start, end, size + 1).end()]],
  ['knows no ranges', [(to) => to.writeHead(200, { 'content-length': size }).end(content)]],
  ['breaks every connection', [(to) => to.destroy()]],
])('come from a worker where the server %s', async (_, does) => {
  answers = does;
  expect(await read()).toEqual({ byWorker: [`0-${size}`], links: 1 });
});

it('of which little came before it broke come from a worker from there on', async () => {
  answers = [cutAfter(1000)];
  const { byWorker } = await read();
  expect(byWorker).toHaveLength(1);
  expect(byWorker[0]).toMatch(/^\d{1,6}-6291456$/);
});

it('come from a worker where there is no link, of a small file, and from a host', async () => {
  answers = [whole];
  expect(await read(undefined, false)).toEqual({ byWorker: [`0-${size}`], links: 1 });
  expect(await read({ start: 0, end: worthLink - 1 })).toEqual({ byWorker: [`0-${worthLink - 1}`], links: 0 });
});

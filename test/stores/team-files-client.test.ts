/** Answers of a Supervisely server that nobody may wait for, hold in memory, or repeat. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { TeamFilesBucket } from '../../stores/team-files-bucket.ts';
import { askTeamFiles, readTeamFiles } from '../../stores/team-files-client.ts';

const token = 'not-a-token-of-anybody';
let server: Server;
let respond: (response: ServerResponse, url: string) => void;
beforeEach(async () => {
  server = createServer(({ url = '' }, response) => respond(response, url)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  vi.stubEnv('SERVER_ADDRESS', `127.0.0.1:${(server.address() as AddressInfo).port}`);
  vi.stubEnv('API_TOKEN', token);
  vi.stubEnv('TEAM_ID', '7');
});
afterEach(() => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
});

const request = { method: 'projects.info', json: { id: 1 }, isTeamless: true } as const;
const ask = (more: { idleMs?: number; mostBytes?: number } = {}) =>
  askTeamFiles({}, { ...request, ...more }, (told) => told).catch((error: unknown) => error);

const endless = (status: number) => (response: ServerResponse) => {
  response.writeHead(status, { 'content-type': 'application/json' });
  const more = () => {
    while (!response.destroyed && response.write(Buffer.alloc(100_000, ' ')));
  };
  response.on('drain', more);
  more();
};

it.each([401, 422])(
  'a token that the server repeats with %i is not told on, nor kept with what is told',
  async (status) => {
    respond = (response) =>
      response.writeHead(status).end(JSON.stringify({ details: { message: `the token ${token} is nobody's` } }));
    const said = inspect(await ask(), { depth: null });
    expect(said).toContain(`(HTTP ${status})`);
    expect(said).toContain("the token … is nobody's");
    expect(said).not.toContain(token);
  },
);

it('an answer without an end is given up: before it fills the memory, and without another try', async () => {
  respond = endless(200);
  expect(await ask({ mostBytes: 1 << 20 })).toMatchObject({
    trouble: 'refused',
    message: 'the server answers with more than 1.0 MiB',
  });
  respond = endless(500);
  expect(await ask()).toMatchObject({ trouble: 'busy', message: 'the server failed (HTTP 500)' });
});

it('an answer that stands still is given up, also one that is no JSON', async () => {
  respond = (response) => {
    response.writeHead(200, { 'content-type': 'multipart/form-data' }).write('half of');
  };
  await expect(readTeamFiles({}, { ...request, idleMs: 50 })).rejects.toMatchObject({
    trouble: 'broken',
    message: 'nothing moved for 0.05 s',
  });
});

it('a part of a file does not pass for the file, where the server does not say how large that is', async () => {
  const hash = createHash('sha256').update('0123456789').digest('base64');
  respond = (response, url) => {
    if (!url.endsWith('download')) return response.end(JSON.stringify([{ path: '/a', hash, meta: { size: 10 } }]));
    response.writeHead(206, { 'content-range': 'bytes 4-5/*', 'x-content-checksum-sha256': hash, 'content-length': 2 });
    response.end('45');
  };
  expect(await new TeamFilesBucket().get('a', { offset: 4, length: 2 }, {})).toMatchObject({ size: 10 });
});

it('a list whose pages go round is given up', async () => {
  let pages = 0;
  respond = (response) => {
    pages += 1;
    response.end(JSON.stringify({ entities: [], continuationToken: pages % 2 ? 'a' : 'b' }));
  };
  const first = new TeamFilesBucket().list('folder/', {})[Symbol.asyncIterator]().next();
  await expect(first).rejects.toThrow('the server gives pages of its list over and over');
  expect(pages).toBe(3);
});

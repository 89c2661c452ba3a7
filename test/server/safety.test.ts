/** Who may ask, and what no request gets: other origins, other hosts, wrong tokens, files outside a run, floods. */
import { randomUUID } from 'node:crypto';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { routes } from '../../contracts/http-api.ts';
import { createServerLog } from '../../server/log.ts';
import { raw } from '../support/raw-request.ts';
import { TestHost } from '../support/test-host.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/until.ts';
import { badInputs } from './bad-inputs.ts';

let host: TestHost;
let server: TestServer;
beforeAll(async () => {
  host = await TestHost.start();
  server = await TestServer.start(host);
});
afterAll(async () => {
  await server?.stop();
  await host?.stop();
});

describe('other sites', () => {
  it('cannot call it under a name of their own', async () => {
    for (const name of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil', 'a b', '10.0.0.1']) {
      expect(await raw(server.address, '/api/health', { host: name })).toMatchObject({ status: 403 });
    }
    const { port } = new URL(server.address);
    expect(await raw(server.address, '/api/alive', { host: `localhost:${port}` })).toMatchObject({ status: 200 });
  });

  it('cannot call it from their pages', async () => {
    const host = new URL(server.address).host;
    for (const origin of [
      'http://evil.example',
      'null',
      `https://${host}.evil.example`,
      'http://localhost:1',
      `ftp://${host}`,
    ]) {
      expect(await raw(server.address, '/api/health', { host, origin })).toMatchObject({ status: 403 });
    }
    expect(await raw(server.address, '/api/alive', { host, origin: `http://${host}` })).toMatchObject({ status: 200 });
    expect(
      await raw(server.address, '/api/alive', { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }),
    ).toMatchObject({ status: 403 });
    expect(
      await raw(
        server.address,
        '/api/runs',
        { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
        'POST',
      ),
    ).toMatchObject({ status: 403 });
  });

  it('cannot frame it or have it run their scripts', async () => {
    const { headers } = await server.ask('alive');
    const policy = headers.get('content-security-policy') ?? '';
    for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"])
      expect(policy).toContain(part);
    expect(policy).not.toMatch(/script-src[^;]*(unsafe|http|\*)/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('a token', () => {
  const token = `token-${randomUUID()}`;
  let guarded: TestServer;
  beforeAll(async () => {
    guarded = await TestServer.start(host, {
      settings: { token: { kind: 'given', token }, address: '0.0.0.0', requestsPerMinute: 100_000 },
    });
  });
  afterAll(() => guarded?.stop());

  it('is asked for on every route but those that say so', async () => {
    const { body } = await guarded.send('GET', '/api/docs/json', undefined, { authorization: `Bearer ${token}` });
    const paths = (body as unknown as { paths: Record<string, Record<string, unknown>> }).paths;
    let asked = 0;
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods)) {
        const { status } = await guarded.send(
          method.toUpperCase(),
          path.replace(/\{[^}]*\}/g, 'x'),
          method === 'get' ? undefined : {},
        );
        if (path === '/api/alive' || path === '/api/access') expect(status).not.toBe(403);
        else expect([path, status]).toEqual([path, 401]);
        asked++;
      }
    }
    expect(asked).toBeGreaterThan(30);
    for (const path of ['/api/docs/', '/api/docs/json', '/api/nothing', '/api'])
      expect((await guarded.send('GET', path)).status).toBe(401);
  });

  it('is asked for in every spelling of an address', async () => {
    const encoded = (text: string, at: number) =>
      `${text.slice(0, at)}%${text.charCodeAt(at).toString(16)}${text.slice(at + 1)}`;
    const spellings: ((path: string) => string)[] = [
      (path) => path,
      (path) => encoded(path, 1),
      (path) => encoded(path, 6),
      (path) => encoded(encoded(path, 6), 2),
      (path) => `/${path}`,
      (path) => `/.${path}`,
      (path) => `/x/..${path}`,
      (path) => path.replace('/api', '/API'),
      (path) => `${path}/`,
      (path) => `${path};x`,
      (path) => `http://127.0.0.1${path}`,
      (path) => `http://127.0.0.1${encoded(path, 1)}`,
      (path) => `HTTP://x/..${path}`,
    ];
    const closed = Object.values(routes).filter((route) => !('open' in route));
    const { host } = new URL(guarded.address);
    let asked = 0;
    for (const route of closed) {
      const path = route.path.replace(/:[A-Za-z]+/g, 'x');
      for (const method of route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]) {
        for (const spelling of spellings) {
          const target = spelling(path);
          const { status, type } = await raw(guarded.address, target, { host }, method);
          // What is not an address of the API may be a page of the web, which holds nothing.
          const isPage = status === 200 && type.startsWith('text/html');
          expect([method, target, isPage ? 404 : status]).toEqual([method, target, expect.toBeOneOf([401, 404, 400])]);
          asked++;
        }
      }
    }
    expect(asked).toBeGreaterThan(400);
  });

  it('is in no log', async () => {
    const lines: string[] = [];
    const sink = new Writable({
      write: (chunk, _, done) => {
        lines.push(String(chunk));
        done();
      },
    });
    const log = createServerLog('trace', sink);
    log.info({ token, body: { token }, req: { headers: { authorization: token, cookie: token } } }, 'asked');
    expect(lines.join('')).toContain('asked');
    expect(lines.join('')).not.toContain(token);
  });
});

describe('files', () => {
  it('are those of the run, whatever the path or a link says', async () => {
    const config = host.config({ epochs: 50, parameters: { batches: 50, batch_seconds: 0.02 } });
    const { body } = await server.ask('start', { body: { config } });
    const params = { run: body.run };
    await until('trains', async () => (await server.ask('run', { params })).body.view?.detail === 'training.epoch');
    const folder = join(host.settings.dataFolder, 'runs', body.run);
    await writeFile(join(host.settings.dataFolder, 'secret.txt'), 'secret');
    await symlink('../../../secret.txt', join(folder, 'artifacts', 'link.txt'));
    await symlink('/etc', join(folder, 'artifacts', 'etc'));
    await symlink('logs', join(folder, 'inner'));
    await mkdir(join(folder, 'artifacts', 'plots'));
    await writeFile(join(folder, 'artifacts', 'plots', 'page.html'), '<script>alert(1)</script>');
    await writeFile(
      join(folder, 'artifacts', 'plots', 'a.svg'),
      '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    );

    for (const path of [
      'artifacts/link.txt',
      'artifacts/etc/hostname',
      'artifacts/etc',
      'nothing',
      'session.json',
      'process.json',
      'lock',
      'artifacts',
    ]) {
      expect(await server.ask('file', { params, query: { path } }), path).toMatchObject({
        status: 404,
        body: { kind: 'notFound' },
      });
    }
    for (const path of [
      '../secret.txt',
      '/etc/passwd',
      'a/../../b',
      'a//b',
      './a',
      'a\0b',
      'a\\..\\b',
      '..',
      '.',
      'x'.repeat(2000),
    ]) {
      const answer = await server.ask('file', { params, query: { path } });
      expect(answer, path).toMatchObject({ status: 400, body: { kind: 'invalid', problems: [{ field: 'path' }] } });
      expect((await server.ask('files', { params, query: { folder: path } })).status, path).toBe(400);
    }
    for (const run of ['..', '%2e%2e', '..%2f..%2fetc', '%2fetc%2fpasswd', 'a%00b', '....', 'x'.repeat(150), '%ff']) {
      expect(
        (await raw(server.address, `/api/runs/${run}/file?path=secret.txt`, {})).status,
        run,
      ).toBeGreaterThanOrEqual(400);
      expect((await raw(server.address, `/api/runs/${run}/file?path=secret.txt`, {})).text, run).not.toContain('root:');
    }
    const encoded = await raw(server.address, `/api/runs/${body.run}/file?path=%2e%2e%2f%2e%2e%2fsecret.txt`);
    expect(encoded.status).toBe(400);
    expect((await server.ask('files', { params, query: { folder: 'artifacts/etc' } })).status).toBe(404);
    const { body: listing } = await server.ask('files', { params, query: { folder: 'artifacts' } });
    expect(listing.entries.map(({ name }) => name)).not.toContain('link.txt');

    // What a trainer wrote acts in nobody's name.
    const page = await server.ask('file', { params, query: { path: 'artifacts/plots/page.html' } });
    expect(page.headers.get('content-disposition')).toContain('attachment');
    const image = await server.ask('file', { params, query: { path: 'artifacts/plots/a.svg' } });
    expect(image.headers.get('content-type')).toBe('image/svg+xml');
    expect(image.headers.get('content-security-policy')).toMatch(/^sandbox; default-src 'none'/);
    await server.ask('stop', { params, body: { mode: 'now' } });
  });
});

describe('bad input', () => {
  it('is tried on every route that takes any', () => {
    const untried = Object.entries(routes).flatMap(([name, route]) => {
      if (!('params' in route || 'query' in route || 'body' in route)) return [];
      const pattern = new RegExp(`^${route.path.replace(/:[A-Za-z]+/g, '[^/]+')}$`);
      const isTried = badInputs.some(
        ([method, path]) => method === route.method && pattern.test(path.split('?')[0] ?? ''),
      );
      return isTried ? [] : [name];
    });
    expect(untried).toEqual([]);
  });

  it.each(badInputs)('%s %s %j names the field', async (method, path, body, field) => {
    const answer = await server.send(method, path, body);
    expect(answer).toMatchObject({ status: 400, body: { kind: 'invalid', message: expect.any(String) } });
    expect(
      (answer.body as unknown as { problems: { field: string }[] }).problems.map((problem) => problem.field),
    ).toContain(field);
  });

  it('of other kinds has its own sentence', async () => {
    expect(await server.send('POST', '/api/runs', '{"config":')).toMatchObject({
      status: 400,
      body: { kind: 'invalid' },
    });
    expect(await server.send('POST', '/api/runs', { config: { parameters: 'x'.repeat(1_100_000) } })).toMatchObject({
      status: 413,
      body: { kind: 'tooLarge' },
    });
    expect(
      await server.send('POST', '/api/runs', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }),
    ).toMatchObject({ status: 400, body: { kind: 'invalid' } });
    const deep = `{"config": {"parameters": {"x": ${'['.repeat(100_000)}${']'.repeat(100_000)}}}}`;
    for (const path of ['/api/runs', '/api/check', '/api/config/write', '/api/runs/a/configure'])
      expect(await server.send('POST', path, deep), path).toMatchObject({ status: 400, body: { kind: 'invalid' } });
    expect(await server.send('GET', '/api/nothing')).toMatchObject({ status: 404, body: { kind: 'notFound' } });
    const patched = await server.send('PATCH', '/api/runs');
    expect([patched.status, patched.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
    for (const path of ['', '/live', '/log', '/events', '/checkpoints', '/files', '/metrics', '/system', '/clone']) {
      expect(await server.send('GET', `/api/runs/no-such-run${path}`), path).toMatchObject({
        status: 404,
        body: { kind: 'notFound', message: expect.stringContaining('no-such-run') },
      });
    }
    expect(await server.send('POST', '/api/runs/no-such-run/stop', {})).toMatchObject({ status: 404 });
    expect(await server.ask('trainers', { query: { pool: 'no-such-pool' } })).toMatchObject({
      status: 503,
      body: { kind: 'workersAway' },
    });
    expect(await server.ask('removeKept', { params: { host: 'no-such-host', run: 'a' } })).toMatchObject({
      status: 503,
      body: { kind: 'workersAway' },
    });
  });

  it('is refused in floods', async () => {
    const small = await TestServer.start(host, { settings: { requestsPerMinute: 20 } });
    try {
      const answers = await Promise.all(Array.from({ length: 30 }, () => small.ask('alive')));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(20);
      expect(answers.find(({ status }) => status === 429)?.body).toMatchObject({ kind: 'tooMany' });
    } finally {
      await small.stop();
    }
  });
});

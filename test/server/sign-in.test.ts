/** Signing in: the token that a start makes, codes, sessions and their ends, wrong guesses, TLS. Without Temporal, which it is no matter of. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable, type WritableOptions } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { routes } from '../../contracts/http-api.ts';
import { createServerLog } from '../../server/log.ts';
import { LoginSessions, sessionSeconds } from '../../server/login-sessions.ts';
import { runServerUntilSignal, runSignIn, startServer } from '../../server/main.ts';
import type { ServerSettings } from '../../server/settings.ts';
import { codesFolder, SignInCodes } from '../../server/sign-in-codes.ts';
import { tokenFile } from '../../server/token.ts';
import { readSettings } from '../../worker/settings.ts';
import { TestServer, testServerSettings } from '../support/test-server.ts';

let folder: string;
const servers: TestServer[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-sign-in-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const away = async (): Promise<never> => {
  throw new Error('there is no Temporal here');
};
const hostIn = (dataFolder = folder) => ({ settings: readSettings({ EPOCHAL_DATA_DIR: dataFolder }) });
async function start(settings: Partial<ServerSettings> = {}): Promise<TestServer> {
  const server = await TestServer.start(hostIn(), {
    connect: away,
    settings: { token: { kind: 'made' }, ...settings },
  });
  servers.push(server);
  return server;
}
function listened(level: string): { log: ReturnType<typeof createServerLog>; lines: string[] } {
  const lines: string[] = [];
  const write: WritableOptions['write'] = (chunk, _, done) => {
    lines.push(String(chunk));
    done();
  };
  return { log: createServerLog(level, new Writable({ write })), lines };
}
const token = async () => (await readFile(join(folder, tokenFile), 'utf8')).trim();
const bearer = (value: string) => ({ authorization: `Bearer ${value}` });
const cookieIn = (headers: Headers) => ({ cookie: headers.get('set-cookie')?.split(';')[0] ?? '' });
const status = async (server: TestServer, headers: Record<string, string>) =>
  (await server.ask('settings', { headers })).status;

it('a start makes a token that its owner alone can read, and keeps it', async () => {
  await chmod(folder, 0o755);
  const server = await start();
  const made = await token();
  expect(made).toHaveLength(43);
  expect((await stat(join(folder, tokenFile))).mode & 0o777).toBe(0o600);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect(await status(server, {})).toBe(401);
  expect(await status(server, bearer(made))).toBe(200);
  const again = await start();
  expect(await status(again, bearer(made))).toBe(200);
  // What others could read may be known to them.
  await chmod(join(folder, tokenFile), 0o644);
  const third = await start();
  expect(await token()).not.toBe(made);
  expect(await status(third, bearer(made))).toBe(401);
  await writeFile(join(folder, tokenFile), 'short');
  await expect(start()).rejects.toThrow(/server-token must have at least 16 characters; remove the file/);
});

it('the printed address signs one browser in, for a session that outlives the server and ends with it or with the token', async () => {
  const server = await start();
  const code = (address: string) => new URL(address).hash.replace('#code=', '');
  const printed = await server.running.signInAddress();
  const entered = await server.ask('enter', { body: { code: code(printed) } });
  expect(entered.status).toBe(200);
  expect(entered.headers.get('set-cookie')).toMatch(/; Max-Age=1209600; Path=\/; HttpOnly; SameSite=Strict$/);
  expect(entered.headers.get('set-cookie')).not.toContain(await token());
  const session = cookieIn(entered.headers);
  expect(await status(server, session)).toBe(200);
  // Once.
  expect(await server.ask('enter', { body: { code: code(printed) } })).toMatchObject({ status: 401 });
  // A second session has a cookie of its own.
  const other = cookieIn((await server.ask('enter', { body: { token: await token() } })).headers);
  expect(other).not.toEqual(session);

  // Whoever has the data folder gets more addresses of the server that runs on it.
  vi.stubEnv('EPOCHAL_DATA_DIR', folder);
  const out = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  expect(await runSignIn()).toBe(0);
  const another = String(out.mock.calls[0]?.[0]).trim();
  out.mockRestore();
  vi.unstubAllEnvs();
  expect(another).toMatch(new RegExp(`^${server.address}/#code=`));
  expect((await server.ask('enter', { body: { code: code(another) } })).status).toBe(200);

  await servers.pop()?.stop();
  const restarted = await start();
  expect(await status(restarted, session)).toBe(200);
  await restarted.ask('leave', { headers: session });
  expect(await status(restarted, session)).toBe(401);
  expect(await status(restarted, other)).toBe(200);
  await servers.pop()?.stop();
  await rm(join(folder, tokenFile));
  expect(await status(await start(), other)).toBe(401);
  expect((await stat(join(folder, 'login-sessions'))).mode & 0o777).toBe(0o700);
});

it('a session ends by itself', async () => {
  const sessions = new LoginSessions(folder, 'a token');
  const id = await sessions.open();
  expect(await sessions.has(id)).toBe(true);
  expect(await new LoginSessions(folder, 'another token').has(id)).toBe(false);
  vi.useFakeTimers({ now: Date.now() + sessionSeconds * 1000 + 1, toFake: ['Date'] });
  try {
    expect(await sessions.has(id)).toBe(false);
    const next = await sessions.open();
    vi.useRealTimers();
    expect(await sessions.has(id)).toBe(false);
    vi.useFakeTimers({ now: Date.now() + sessionSeconds * 1000 + 1, toFake: ['Date'] });
    expect(await sessions.has(next)).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});

it('nothing else opens it', async () => {
  const server = await start();
  const right = await token();
  const wrong = [`Bearer ${right}x`, `Bearer ${right.slice(0, -1)}`, 'Bearer ', right, `Basic ${right}`];
  for (const authorization of wrong) expect(await status(server, { authorization }), authorization).toBe(401);
  const { headers } = await server.ask('enter', { body: { token: right } });
  const [name] = cookieIn(headers).cookie.split('=');
  for (const value of ['', right, '../server-token', '%2e%2e', 'x'])
    expect(await status(server, { cookie: `${name}=${value}` })).toBe(401);
  expect((await server.ask('access')).body).toEqual({ tokenRequired: true, granted: false });
  for (const body of [{}, { token: right, code: 'x' }]) expect((await server.ask('enter', { body })).status).toBe(400);
  expect((await server.ask('enter', { body: { code: '../server-token' } })).status).toBe(401);
});

it.each([
  ['a route that is open', 'access'],
  ['a route that is not', 'settings'],
] as const)('wrong tokens are throttled on %s, sessions and other addresses are not', async (_, route) => {
  const right = 'somebody-thought-of-this-token';
  const server = await start({ proxies: 1, token: { kind: 'given', token: right } });
  const session = cookieIn((await server.ask('enter', { body: { token: right } })).headers);
  const guesses = await Promise.all(
    Array.from({ length: 40 }, () => server.ask(route, { headers: bearer(randomUUID()) })),
  );
  expect(guesses.filter(({ status }) => status === 429).length).toBeGreaterThan(15);
  // The right one tells nothing either, wherever it is tried.
  expect(await status(server, bearer(right))).toBe(429);
  expect((await server.ask('enter', { body: { token: right } })).status).toBe(429);
  expect((await server.ask('enter', { body: { code: 'x' } })).status).toBe(429);
  expect(await status(server, session)).toBe(200);
  expect(await status(server, { ...bearer(right), 'x-forwarded-for': '10.1.2.3' })).toBe(200);
});

it('wrong tokens of others at its address keep nobody out who has what the server made', async () => {
  const server = await start();
  const right = await token();
  await Promise.all(Array.from({ length: 40 }, () => server.ask('settings', { headers: bearer(randomUUID()) })));
  expect(await status(server, bearer(randomUUID()))).toBe(429);
  expect(await status(server, bearer(right))).toBe(200);
  expect((await server.ask('enter', { body: { token: right } })).status).toBe(200);
  const code = new URL(await server.running.signInAddress()).hash.replace('#code=', '');
  expect((await server.ask('enter', { body: { code } })).status).toBe(200);
  expect((await server.ask('enter', { body: { code } })).status).toBe(429);
});

it('requests of others at its address use up none of those of a login session, which has as many', async () => {
  const server = await start({ requestsPerMinute: 20 });
  const session = cookieIn((await server.ask('enter', { body: { token: await token() } })).headers);
  await Promise.all(Array.from({ length: 30 }, () => status(server, { cookie: 'epochal=x' })));
  expect(await status(server, {})).toBe(429);
  const answers = await Promise.all(Array.from({ length: 30 }, () => status(server, session)));
  expect(answers.filter((one) => one === 200)).toHaveLength(20);
  expect(answers.filter((one) => one === 429)).toHaveLength(10);
});

it('a code is good once, and for a day', async () => {
  const codes = new SignInCodes(folder);
  const [used, old] = [await codes.make(), await codes.make()];
  expect((await Promise.all([codes.use(used), codes.use(used)])).sort()).toEqual([false, true]);
  expect(await codes.use(used)).toBe(false);
  const yesterday = new Date(Date.now() - 24 * 3600 * 1000);
  for (const file of await readdir(join(folder, codesFolder)))
    await utimes(join(folder, codesFolder, file), yesterday, yesterday);
  expect(await codes.use(old)).toBe(false);
  expect(await codes.use(await codes.make())).toBe(true);
});

it('another token is the end of codes that were printed before', async () => {
  const server = await start();
  const code = new URL(await server.running.signInAddress()).hash.replace('#code=', '');
  await servers.pop()?.stop();
  await rm(join(folder, tokenFile));
  expect((await (await start()).ask('enter', { body: { code } })).status).toBe(401);
});

it('a data folder that cannot be used is said in a sentence, before anything is prepared', async () => {
  const file = join(folder, 'file');
  await writeFile(file, '');
  const told = async (dataFolder: string) => {
    const err = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    vi.stubEnv('EPOCHAL_DATA_DIR', dataFolder);
    try {
      const prepare = () => Promise.reject(new Error('prepared'));
      expect(await runServerUntilSignal({ connect: away, prepare })).toBe(1);
      return err.mock.calls.map(([text]) => String(text)).join('');
    } finally {
      err.mockRestore();
      vi.unstubAllEnvs();
    }
  };
  const begins = (path: string) =>
    `EPOCHAL_DATA_DIR is "${path}": must be the absolute path of a folder that this user can write, or that can be made; `;
  expect(await told(file)).toBe(`${begins(file)}it is a file\n`);
  expect(await told(join(file, 'in', 'it'))).toBe(`${begins(join(file, 'in', 'it'))}it, or a part of it, is a file\n`);
  expect(await told('/proc/epochal/data')).toBe(`${begins('/proc/epochal/data')}no folder can be made there\n`);
  const shared = join(folder, 'shared');
  await mkdir(shared);
  await chmod(shared, 0o1777);
  expect(await told(shared)).toBe(`${begins(shared)}all users of this machine share it\n`);
  expect((await stat(shared)).mode & 0o1777).toBe(0o1777);
  expect(await told('data')).toBe(`${begins('data').slice(0, -2)}\n`);
});

it('a flood without a token is refused before it is asked for one', async () => {
  const server = await start({ requestsPerMinute: 20 });
  const paths = ['/api/settings', '/api/nothing', '/api/docs/json', '/no-such-page'];
  const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => server.send('GET', paths[i % 4] ?? '')));
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(40);
});

it('speaks TLS where it has a certificate, and warns where others listen in', async () => {
  const [certificate, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const making = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost'.split(
    ' ',
  );
  execFileSync('openssl', [...making, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  const { log, lines } = listened('warn');
  const begin = async (settings: Partial<ServerSettings>) => {
    const all = testServerSettings(hostIn(), { token: { kind: 'made' }, address: '0.0.0.0', ...settings });
    const running = await startServer({ settings: all, log, connect: away });
    return running;
  };
  const plain = await begin({});
  await plain.stop();
  expect(lines.filter((line) => line.includes('without TLS'))).toHaveLength(1);
  const secure = await begin({ tls: { certificate, key } });
  try {
    expect(secure.address).toMatch(/^https:\/\/localhost:/);
    const body = JSON.stringify({ token: await token() });
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    const answer = await new Promise<{ status?: number; cookie: string }>((resolve, reject) => {
      const sent = request(`${secure.address}/api/access`, { method: 'POST', headers, rejectUnauthorized: false });
      sent.on('response', (response) => {
        response.resume();
        resolve({ status: response.statusCode ?? 0, cookie: response.headers['set-cookie']?.[0] ?? '' });
      });
      sent.on('error', reject).end(body);
    });
    expect(answer.status).toBe(200);
    expect(answer.cookie).toMatch(/; Secure;/);
    expect(lines.filter((line) => line.includes('without TLS'))).toHaveLength(1);
  } finally {
    await secure.stop();
  }
  await expect(begin({ tls: { certificate, key: certificate } })).rejects.toThrow(/must be a certificate and its key/);
  await expect(begin({ tls: { certificate: '/none', key } })).rejects.toThrow(/EPOCHAL_SERVER_TLS_CERT is "\/none"/);
});

it('who asked for a change is told by the log, without what lets them in', async () => {
  const { log, lines } = listened('info');
  const settings = testServerSettings(hostIn(), { token: { kind: 'made' } });
  const running = await startServer({ settings, log, connect: away });
  try {
    const made = await token();
    const ask = (path: string, init: RequestInit) => fetch(`${running.address}${path}`, init);
    const post = (headers: Record<string, string>, path: string, body: unknown) =>
      ask(path, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const cookie = cookieIn((await post({}, '/api/access', { token: made })).headers);
    await post(bearer(made), '/api/runs/mine/stop', {});
    await post(cookie, '/api/runs/mine/stop', { mode: 'now' });
    await post({}, '/api/runs/mine/stop', {});
    await ask('/api/runs', { headers: bearer(made) });
    const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ action }) => action);
    const change = { action: 'steer', route: '/api/runs/:run/stop', run: 'mine' };
    expect(told).toEqual([
      expect.objectContaining({ ...change, status: 503, by: { kind: 'token' } }),
      expect.objectContaining({
        ...change,
        status: 503,
        by: { kind: 'session', id: expect.stringMatching(/^[0-9a-f]{64}$/) },
      }),
      expect.objectContaining({ ...change, status: 401, by: null }),
    ]);
    for (const secret of [made, cookie.cookie.split('=')[1] ?? 'none']) expect(lines.join()).not.toContain(secret);
  } finally {
    await running.stop();
  }
});

it('what changes nothing is asked for with GET, or reads what it is given', () => {
  const reads = Object.entries(routes).filter(
    ([, route]) => 'action' in route && route.action === 'see' && route.method !== 'GET',
  );
  expect(reads.map(([route]) => route)).toEqual(['readConfig', 'writeConfig']);
  const changes = Object.entries(routes).filter(([, route]) => 'action' in route && route.action !== 'see');
  expect(changes.filter(([, { method }]) => method === 'GET')).toEqual([]);
});

/** What metadata services of clouds say of a machine that is about to be taken away, asked as each wants it, over HTTP. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readSettings } from '../../worker/settings.ts';
import { AddressSpot } from '../../worker/spot/address-spot.ts';
import { AzureSpot } from '../../worker/spot/azure-spot.ts';
import { Ec2Spot } from '../../worker/spot/ec2-spot.ts';
import { GcpSpot } from '../../worker/spot/gcp-spot.ts';
import { openSpotSource } from '../../worker/spot/open-spot-source.ts';
import type { SpotNotice, SpotSource } from '../../worker/spot/spot-source.ts';
import { SpotWatch } from '../../worker/spot/spot-watch.ts';
import { until } from '../support/until.ts';

let server: Server;
let base: string;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const asked: string[] = [];
beforeEach(async () => {
  asked.length = 0;
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const look = (source: SpotSource) => source.look(new AbortController().signal);
const within = (notice: SpotNotice | null, least: number, most: number) => {
  expect(notice?.seconds).toBeGreaterThan(least);
  expect(notice?.seconds).toBeLessThanOrEqual(most);
};

it('EC2 is asked with a token, which is made anew where it is no longer good', async () => {
  let token = 'first';
  let action: string | null = null;
  answer = (request, response) => {
    if (request.url === '/latest/api/token') {
      const isRight = request.method === 'PUT' && request.headers['x-aws-ec2-metadata-token-ttl-seconds'] === '21600';
      return response.writeHead(isRight ? 200 : 400).end(token);
    }
    if (request.headers['x-aws-ec2-metadata-token'] !== token) return response.writeHead(401).end();
    const isRight = request.url === '/latest/meta-data/spot/instance-action' && action !== null;
    return response.writeHead(isRight ? 200 : 404).end(action);
  };
  const source = new Ec2Spot(base);
  expect(await look(source)).toBeNull();
  expect(await look(source)).toBeNull();
  expect(asked.filter((one) => one.startsWith('PUT'))).toHaveLength(1);
  token = 'second';
  expect(await look(source)).toBeNull();
  expect(asked.filter((one) => one.startsWith('PUT'))).toHaveLength(2);
  action = JSON.stringify({ action: 'terminate', time: new Date(Date.now() + 120_000).toISOString() });
  const notice = await look(source);
  expect(notice?.why).toBe('EC2 will terminate this instance');
  within(notice, 100, 120);
  action = 'something new';
  expect(await look(source)).toEqual({ why: 'EC2 will take this instance', seconds: null });
});

it('Google Cloud is asked once for what is, and then for what changes, by the ETag of the last answer', async () => {
  const queries: URLSearchParams[] = [];
  answer = (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', base);
    if (pathname !== '/computeMetadata/v1/instance/preempted' || request.headers['metadata-flavor'] !== 'Google')
      return response.writeHead(403).end();
    queries.push(searchParams);
    const isChanged = searchParams.get('last_etag') === 'one' && searchParams.get('wait_for_change') === 'true';
    const headers = { 'Metadata-Flavor': 'Google', ETag: isChanged ? 'two' : 'one' };
    return response.writeHead(200, headers).end(isChanged ? 'TRUE\n' : 'FALSE\n');
  };
  const source = new GcpSpot(base);
  expect(await look(source)).toBeNull();
  expect([...(queries[0]?.keys() ?? [])]).toEqual([]);
  expect(await look(source)).toEqual({ why: 'Google Cloud preempts this VM', seconds: 30 });
});

it('what answers under the name of Google Cloud, and is not it, is not believed', async () => {
  answer = (_, response) => response.writeHead(200).end('TRUE');
  await expect(look(new GcpSpot(base))).rejects.toThrow('the metadata service of Google Cloud answered 200');
});

it('of the events of Azure, those count that end this VM', async () => {
  let events: object[] = [];
  answer = (request, response) => {
    if (request.headers.metadata !== 'true') return response.writeHead(400).end();
    if (request.url === '/metadata/instance/compute/name?api-version=2021-02-01&format=text')
      return response.end('gpus_3');
    if (request.url === '/metadata/scheduledevents?api-version=2020-07-01')
      return response.end(JSON.stringify({ DocumentIncarnation: 1, Events: events }));
    return response.writeHead(404).end();
  };
  const source = new AzureSpot(base);
  const event = (EventType: string, Resources: string[]) => ({
    ...{ EventId: 'x', EventType, Resources, EventStatus: 'Scheduled', ResourceType: 'VirtualMachine' },
    NotBefore: new Date(Date.now() + 30_000).toUTCString(),
  });
  expect(await look(source)).toBeNull();
  events = [event('Freeze', ['gpus_3']), event('Preempt', ['gpus_4'])];
  expect(await look(source)).toBeNull();
  events.push(event('Preempt', ['GPUS_3']));
  const notice = await look(source);
  expect(notice?.why).toBe('Azure announces Preempt');
  within(notice, 20, 30);
  events = [{ ...event('Terminate', ['gpus_3']), NotBefore: '' }];
  expect(await look(source)).toEqual({ why: 'Azure announces Terminate', seconds: null });
});

it.each([
  [204, '', null],
  [404, 'no', null],
  [200, '45', { seconds: 45 }],
  [200, 'soon', { seconds: null }],
])('an address that answers %i with "%s" says %j', async (status, text, said) => {
  answer = (_, response) => response.writeHead(status).end(text);
  const notice = await look(new AddressSpot(`${base}/told?key=secret`));
  if (said === null) expect(notice).toBeNull();
  else expect(notice).toMatchObject(said);
});

it.each([
  ['another status', (response: ServerResponse) => response.writeHead(500).end(), /answered 500$/],
  ['another place', (response: ServerResponse) => response.writeHead(302, { location: '/' }).end(), /fetch failed/],
  ['more than a notice', (response: ServerResponse) => response.end('x'.repeat(300_000)), /more than a notice$/],
])('an answer with %s is none', async (_, respond, problem) => {
  answer = (_request, response) => respond(response);
  const failed = await look(new AddressSpot(`${base}/told?key=secret`)).catch((error: Error) => error);
  expect(failed).toBeInstanceOf(Error);
  expect(String(failed)).toMatch(problem);
  expect(String(failed)).not.toContain('secret');
});

it('is asked again until there is a notice, which is told once; the log says that nobody answers, and that it passed', async () => {
  const said: string[] = [];
  const log = pino(new Writable({ write: (chunk, _, done) => done(void said.push(JSON.parse(String(chunk)).msg)) }));
  let requests = 0;
  answer = (_, response) => {
    requests++;
    response.writeHead(requests <= 4 ? 503 : requests <= 6 ? 404 : 200).end('9');
  };
  // As the product asks, without its pauses.
  const source = new AddressSpot(base);
  const watch = new SpotWatch({ name: 'address', pauseMs: 1, look: (signal) => source.look(signal) }, log);
  const notices: SpotNotice[] = [];
  watch.start((notice) => notices.push(notice));
  expect(await watch.firstWithin(60_000)).toBeNull();
  await until('it was told', () => notices.length > 0);
  expect(notices).toMatchObject([{ seconds: 9 }]);
  expect(requests).toBe(7);
  expect(said).toEqual([expect.stringContaining('address does not answer'), 'spot notices are heard again']);
  watch.stop();
});

it('one that has stopped tells nothing, whatever it was waiting for', async () => {
  let tell: (notice: SpotNotice) => void = () => undefined;
  const signals: AbortSignal[] = [];
  const source: SpotSource = {
    ...{ name: 'address', pauseMs: 1 },
    look: (signal) => {
      signals.push(signal);
      return new Promise((resolve) => {
        tell = resolve;
      });
    },
  };
  const watch = new SpotWatch(source, pino({ level: 'silent' }));
  const notices: SpotNotice[] = [];
  watch.start((notice) => notices.push(notice));
  expect(await watch.firstWithin(1)).toBeNull();
  watch.stop();
  tell({ why: 'too late', seconds: 1 });
  await new Promise((resolve) => setImmediate(resolve));
  expect(notices).toEqual([]);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
});

it('nobody waits for an answer that is no longer wanted', async () => {
  let isAsked = false;
  answer = () => {
    isAsked = true;
  };
  const ending = new AbortController();
  const looking = new AddressSpot(base).look(ending.signal).catch(String);
  await until('it is asked', () => isAsked);
  ending.abort(new Error('stopped'));
  expect(await looking).toBe('Error: stopped');
});

it.each([
  ['ec2', { AWS_EC2_METADATA_SERVICE_ENDPOINT: 'BASE/' }, '/latest/api/token'],
  ['gcp', { GCE_METADATA_HOST: 'HOST' }, '/computeMetadata/v1/instance/preempted'],
  ['BASE/told', {}, '/told'],
])('EPOCHAL_SPOT=%s asks where the variables of the cloud say', async (name, env, path) => {
  answer = (_, response) => response.writeHead(418).end();
  const at = (text: string) => text.replace('BASE', base).replace('HOST', new URL(base).host);
  const there = Object.fromEntries(Object.entries(env).map(([key, value]) => [key, at(value ?? '')]));
  const { spot } = readSettings({ EPOCHAL_DATA_DIR: '/data', EPOCHAL_SPOT: at(name) });
  await expect(look(openSpotSource(spot ?? '', there))).rejects.toThrow('answered 418');
  expect(asked.map((one) => one.split(' ')[1])).toEqual([path]);
});

it.each(['aws', 'EC2', 'ftp://x/y', '169.254.169.254'])('EPOCHAL_SPOT=%s is refused', (text) => {
  expect(() => readSettings({ EPOCHAL_DATA_DIR: '/data', EPOCHAL_SPOT: text })).toThrow(
    `EPOCHAL_SPOT is "${text}": must be ec2, gcp, azure, or an http: or https: address that tells`,
  );
});

it('nobody is asked unless it is said', () => {
  expect(readSettings({ EPOCHAL_DATA_DIR: '/data' }).spot).toBeNull();
});

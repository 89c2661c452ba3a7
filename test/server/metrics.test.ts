/** `GET /metrics`: who may read it, and that it tells what runs did. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { Calls } from '../../client/calls.ts';
import { queueLengths } from '../../client/run-queue.ts';
import { trainingRunType } from '../../contracts/run-messages.ts';
import { attributes, waitingPlace } from '../../contracts/search-attributes.ts';
import { RunMetrics } from '../../server/workflows/run-metrics.ts';
import { hasPromtool, promtool, readSamples } from '../support/metrics.ts';
import { TestHost } from '../support/test-host.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/until.ts';

const [token, metricsToken] = [randomUUID(), randomUUID()];
const metrics = new RunMetrics();
const bearer = (value: string) => ({ authorization: `Bearer ${value}` });
/** The SDK does not tell which one it has; below those that systems hand out. */
const sdkPort = 20_000 + (process.pid % 10_000);
let host: TestHost;
let server: TestServer;

beforeAll(async () => {
  vi.stubEnv('EPOCHAL_TEMPORAL_METRICS_ADDRESS', String(sdkPort));
  host = await TestHost.start({ metrics, settings: { metricsAddress: { host: '127.0.0.1', port: 0 } } });
  const settings = { token: { kind: 'given', token } as const, metricsToken };
  server = await TestServer.start(host, { settings, counted: [metrics.exposed] });
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server?.stop();
  await host?.stop();
});

const scrape = async () => readSamples((await server.send('GET', '/metrics', undefined, bearer(metricsToken))).text);

it('is for who has the token, or the one that is for nothing else', async () => {
  const status = async (path: string, headers = {}) => (await server.send('GET', path, undefined, headers)).status;
  expect(await status('/metrics')).toBe(401);
  expect(await status('/metrics', bearer(randomUUID()))).toBe(401);
  expect(await status('/metrics', bearer(token))).toBe(200);
  expect(await status('/metrics', bearer(metricsToken))).toBe(200);
  expect(await status('/api/settings', bearer(metricsToken))).toBe(401);
  expect(await status('/metrics', { ...bearer(token), origin: 'https://example.com' })).toBe(403);
});

it('tells what runs did, and what is there now', async () => {
  const run = await host.start(host.config({ epochs: 3 }));
  await run.result();
  const paused = await host.start(host.config({ epochs: 3 }), { draft: true });
  // Other tests may have drafts on this Temporal server, too.
  const samples = await until('the draft is counted', async () => {
    const now = await scrape();
    return (now['epochal_runs{standing="draft"}'] ?? 0) > 0 && now;
  });
  const { pool } = host.settings;
  expect(samples).toMatchObject({
    epochal_temporal_up: 1,
    epochal_epochs_total: 3,
    'epochal_runs_ended_total{outcome="completed"}': 1,
    [`epochal_hosts{pool="${pool}"}`]: 1,
    [`epochal_queued_runs{pool="${pool}"}`]: 0,
  });
  expect(samples['epochal_run_seconds_total{state="training.epoch"}']).toBeGreaterThan(0);
  // Nobody's name: a label for every run would never go away.
  expect(Object.keys(samples).filter((name) => name.includes(run.id) || name.includes(host.worker.host.id))).toEqual(
    [],
  );
  await paused.handle.terminate();
});

it('counts the queue of a pool that nobody serves, however long it is', async () => {
  const pool = `gone-${randomUUID()}`;
  const since = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
  const waiting = await Promise.all(
    [30, 60].map((minutes) =>
      host.client.workflow.start(trainingRunType, {
        ...{ workflowId: randomUUID(), taskQueue: pool, args: [] },
        typedSearchAttributes: [{ key: attributes.queue, value: waitingPlace(pool, 3, since(minutes)) }],
      }),
    ),
  );
  const samples = await until('both are counted', async () => {
    const now = await scrape();
    return now[`epochal_queued_runs{pool="${pool}"}`] === 2 && now;
  });
  expect(samples[`epochal_hosts{pool="${pool}"}`]).toBe(0);
  expect(samples[`epochal_oldest_queued_run_seconds{pool="${pool}"}`]).toBeGreaterThanOrEqual(3600);
  const [length] = await queueLengths(new Calls(host.client), [pool], 1);
  expect(length).toMatchObject({ pool, queued: 2 });
  await Promise.all(waiting.map((one) => one.terminate()));
});

it('of a worker tells what its host does', async () => {
  const { metricsAddress } = host.worker;
  const answer = await fetch(metricsAddress ?? '');
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=/);
  const samples = readSamples(await answer.text());
  const pool = `pool="${host.settings.pool}"`;
  expect(samples).toMatchObject({
    [`epochal_slots{${pool}}`]: 1,
    [`epochal_slots_used{${pool}}`]: 0,
    [`epochal_heartbeat_age_seconds{${pool}}`]: 0,
    [`epochal_queue_wait_seconds_count{${pool}}`]: 1,
    [`epochal_deliveries_total{observer="events-file",result="told",${pool}}`]: expect.any(Number),
    'epochal_runs_ended_total{outcome="completed"}': 1,
  });
  // Of three epochs the newest is kept; which of those before are stored on the way is a matter of their pace.
  expect(samples[`epochal_store_lag_seconds_count{${pool}}`]).toBeGreaterThan(0);
  expect(samples[`epochal_stored_bytes_total{${pool}}`]).toBeGreaterThan(0);
  expect((await fetch(metricsAddress?.replace('metrics', 'other') ?? '')).status).toBe(404);
});

it("of Temporal's SDK are on a port of their own", async () => {
  expect(await (await fetch(`http://127.0.0.1:${sdkPort}/metrics`)).text()).toMatch(/^temporal_/m);
});

it.skipIf(!hasPromtool)('follows the conventions of Prometheus, by its own check', async () => {
  const { text } = await server.send('GET', '/metrics', undefined, bearer(token));
  await promtool(['check', 'metrics'], { input: text });
  await promtool(['check', 'metrics'], { input: await (await fetch(host.worker.metricsAddress ?? '')).text() });
});

it('leaves out what cannot be known while Temporal is unavailable', async () => {
  const connect = () => Promise.reject(new Error('unavailable'));
  const apart = await TestServer.start(host, { connect });
  const samples = readSamples((await apart.send('GET', '/metrics')).text);
  await apart.stop();
  expect(samples.epochal_temporal_up).toBe(0);
  expect(Object.keys(samples).filter((name) => name.startsWith('epochal_runs'))).toEqual([]);
});

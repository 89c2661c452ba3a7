/** A run is one trace, from the request to its receipt, for a collector of OpenTelemetry; by default nobody is told anything. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import { closeTracing, openTracing, Tracing } from '../../client/tracing.ts';
import { TrainingClient } from '../../client/training-client.ts';
import {
  isSampled,
  readTraceparent,
  runSpanOf,
  sendsTraces,
  sessionSpanOf,
  type TracedSpan,
  traceOf,
  traceparentOf,
  trainerTrace,
} from '../../contracts/trace.ts';
import { activitySpans, traceFields } from '../../worker/activity-spans.ts';
import { Hold } from '../faults/hold.ts';
import { newRun } from '../support/command-line.ts';
import { TestHost } from '../support/test-host.ts';
import { until } from '../support/until.ts';

afterEach(async () => {
  await closeTracing();
  vi.unstubAllEnvs();
});

interface Sent {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status: { code?: number; message?: string };
  links?: { traceId: string; spanId: string }[];
  service: string;
}

/** Takes traces as JSON, and keeps what is none as it comes. */
async function collector() {
  const spans: Sent[] = [];
  const others: { type: string | undefined; path: string | undefined; body: Buffer }[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const [type, body] = [request.headers['content-type'], Buffer.concat(parts)];
      if (type === 'application/json') spans.push(...spansIn(JSON.parse(String(body))));
      else others.push({ type, path: request.url, body });
      response.writeHead(200, { 'content-type': type ?? '' }).end(type === 'application/json' ? '{}' : '');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  return { spans, others, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

interface Body {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue: string } }[] };
    scopeSpans: { spans: Sent[] }[];
  }[];
}
const spansIn = ({ resourceSpans }: Body): Sent[] =>
  resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, service })));
  });

const first = '01a22dae-253c-76e6-b683-c1dab6fef28e';
const trace = '01a22dae253c76e6b683c1dab6fef28e';
const span: TracedSpan = {
  ...{ trace, span: '00f067aa0ba902b7', parent: runSpanOf(trace), name: 'trainEpoch', kind: 'consumer', error: null },
  ...{ start: new Date(1_000), end: new Date(2_500), attributes: { 'epochal.run': 'a' } },
};

it('a run is one trace, also where it resumes on another worker, and its trainer belongs to it', async () => {
  const { spans, address } = await collector();
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', address);
  vi.stubEnv('OTEL_EXPORTER_OTLP_PROTOCOL', 'http/json');
  vi.stubEnv('OTEL_SERVICE_NAME', 'ours');
  const host = await TestHost.start();
  onTestFinished(() => host.stop());
  const { pool, store, workflowQueue, dataFolder } = host.settings;
  const client = new TrainingClient(host.client, { workflowQueue });
  const run = newRun('traced');
  const hold = await Hold.at(dataFolder, ['1:2']);
  const config = host.config({ run, epochs: 2, parameters: { batches: 3, ...hold.parameters } });
  const asker = { trace: 'a'.repeat(32), span: 'b'.repeat(16) };
  await client.start(config, { traceparent: traceparentOf(asker, {}) });
  await hold.reached('1:2');
  const view = () => client.view(run);
  const { session, chain = [] } = await view();
  const { pid } = JSON.parse(await readFile(join(dataFolder, 'runs', run, 'process.json'), 'utf8'));
  const environment = String(await readFile(`/proc/${pid}/environ`)).split('\0');
  const id = traceOf(chain) ?? '';
  expect(environment).toContain(`TRACEPARENT=00-${id}-${sessionSpanOf(session?.id ?? '')}-01`);
  expect(environment.filter((variable) => variable.startsWith('OTEL_'))).toEqual([]);
  await client.pause(run);
  await hold.release('1:2');
  await until('it is paused', async () => (await view()).detail === 'training.paused');

  const other = await TestHost.start({ pool, store, settings: { workflowQueue } });
  onTestFinished(() => other.stop());
  await host.worker.drain();
  await client.resume(run);
  expect(await client.result(run)).toMatchObject({ outcome: 'completed', sessions: [{}, {}] });
  await closeTracing();

  const ours = spans.filter(({ traceId }) => traceId === id);
  expect(new Set(ours.map(({ service }) => service))).toEqual(new Set(['ours']));
  const named = (name: string) => ours.filter((one) => one.name === name);
  const [root] = named('run counter');
  expect(root).toMatchObject({ spanId: runSpanOf(id), status: {} });
  expect(root?.parentSpanId).toBeFalsy();
  expect(ours.filter((one) => one !== root && one.parentSpanId !== root?.spanId)).toEqual([]);
  expect(named('start')).toMatchObject([{ links: [{ traceId: asker.trace, spanId: asker.span }] }]);
  const { sessions = [] } = await client.result(run);
  expect(named('session').map(({ spanId }) => spanId)).toEqual(sessions.map((one) => sessionSpanOf(one.id)));
  for (const [activity, times] of Object.entries({ openSession: 2, publish: 1, cleanUp: 1 }))
    expect(named(activity).length).toBeGreaterThanOrEqual(times);
  for (const one of ours) expect(BigInt(one.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(one.startTimeUnixNano));
  // What is no part of a run is no part of any trace.
  expect(spans.filter(({ traceId }) => traceId !== id)).toEqual([]);
});

it('is sent as protobuf unless JSON is asked for, a share of them as the sampler says', async () => {
  const { others, address } = await collector();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: address, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio' };
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  for (const share of ['1', '0']) {
    const sending = new Tracing({ service: 's', env: { ...env, OTEL_TRACES_SAMPLER_ARG: share } });
    sending.tell(span);
    await sending.close();
  }
  expect(others).toMatchObject([{ type: 'application/x-protobuf', path: '/v1/traces' }]);
  expect(others[0]?.body.includes(Buffer.from(trace, 'hex'))).toBe(true);
});

it('costs nobody anything where the collector is down, and says so once', async () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_EXPORTER_OTLP_TIMEOUT: '500' };
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const told: string[] = [];
  const sending = new Tracing({ service: 's', env, onProblem: (problem) => told.push(problem) });
  sending.tell(span);
  await sending.close();
  expect(told).toEqual([expect.stringContaining('traces could not be sent')]);
  const grpc = new Tracing({
    service: 's',
    env: { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
    onProblem: (one) => told.push(one),
  });
  await grpc.close();
  expect(told.at(-1)).toContain('must be http/protobuf or http/json');
});

it('is nothing by default, and where it is switched off', () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
  expect(openTracing({ service: 's', env: {} })).toBeNull();
  expect(trainerTrace([first], first, {})).toEqual({});
  for (const off of [{ OTEL_SDK_DISABLED: 'true' }, { OTEL_TRACES_EXPORTER: 'none' }])
    expect(sendsTraces({ ...endpoint, ...off })).toBe(false);
  expect(sendsTraces({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector:4318/v1/traces' })).toBe(true);
  expect(isSampled(trace, { OTEL_TRACES_SAMPLER: 'always_off' })).toBe(false);
  const half = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.5' };
  expect([isSampled(`${'0'.repeat(24)}7fffffff`, half), isSampled(`${'0'.repeat(24)}80000000`, half)]).toEqual([
    true,
    false,
  ]);
  expect(trainerTrace([first], first, endpoint)).toEqual({ TRACEPARENT: `00-${trace}-${trace.slice(16)}-01` });
  // A host of another version may have called its session otherwise.
  expect(trainerTrace([first], 'session-1', endpoint)).toEqual({});
  expect(readTraceparent('00-nothing')).toBeNull();
});

it('lines that are logged meanwhile carry its ids, and what fails is told as such', async () => {
  const lines: string[] = [];
  const log = pino({ mixin: traceFields }, { write: (line) => void lines.push(line) });
  const told: TracedSpan[] = [];
  const workflow = { workflowType: 'trainingRun', workflowExecution: { workflowId: 'a', runId: 'later' } };
  const info = {
    ...workflow,
    activityType: 'trainEpoch',
    taskQueue: 'q',
    attempt: 1,
    scheduledTimestampMs: Date.now(),
  };
  const work = async (more: object, args: unknown[]) => {
    const [factory] = activitySpans((one) => told.push(one), 'h').activity ?? [];
    const next = async () => {
      log.info('within');
      throw new Error('it broke');
    };
    const { execute } = factory?.({ info: { ...info, ...more } } as never).inbound ?? {};
    await expect(execute?.({ args, headers: {} }, next)).rejects.toThrow('it broke');
  };
  await work({}, [{ chain: [first, 'later'] }]);
  await work({}, [{}, [first]]);
  // A question to a host, and an execution that is called otherwise, belong to no run's trace.
  await work({ workflowType: undefined, workflowExecution: undefined }, []);
  await work({}, [{}]);
  expect(told).toMatchObject(
    [1, 2].map(() => ({ trace, parent: runSpanOf(trace), name: 'trainEpoch', error: 'it broke' })),
  );
  const ids = lines.map((line) => JSON.parse(line)).map(({ trace_id, span_id }) => [trace_id, span_id]);
  expect(ids).toEqual([
    [trace, told[0]?.span],
    [trace, told[1]?.span],
    [undefined, undefined],
    [undefined, undefined],
  ]);
});

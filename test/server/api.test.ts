/** The HTTP API over HTTP: what each route answers, on a real Temporal server, worker and trainer. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chartGraphSchema } from '../../contracts/chart-graph.ts';
import { eventsFile } from '../../contracts/observed-events.ts';
import { TestHost } from '../support/test-host.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/until.ts';

let host: TestHost;
let server: TestServer;
beforeAll(async () => {
  // Not all trainers: listing the heavy ones would make their environments.
  const trainersFolders = [fileURLToPath(new URL('../trainers', import.meta.url))];
  host = await TestHost.start({ slots: 2, settings: { trainersFolders } });
  server = await TestServer.start(host);
});
afterAll(async () => {
  await server?.stop();
  await host?.stop();
});

/** Trained and stopped, for all that only reads. */
let finished: string;
beforeAll(async () => {
  const { status, body } = await server.ask('start', {
    body: { config: host.config({ epochs: 4, parameters: { batches: 3 } }) },
  });
  expect(status).toBe(201);
  finished = body.run;
  await stopped(finished);
});

const stopped = (run: string) =>
  until(`run ${run} stops`, async () => {
    const { body } = await server.ask('run', { params: { run } });
    return body.view?.state === 'stopped' && body.summary.workflowStatus !== 'running' ? body : null;
  });
const slow = { batches: 500, batch_seconds: 0.02 };

describe('the server', () => {
  it('says that Temporal, the worker and who serves workflows are there', async () => {
    const { status, body } = await server.ask('health');
    expect(status).toBe(200);
    expect(body.temporal.reachable).toBe(true);
    expect(body.unserved).toBeNull();
    expect(body.workers).toMatchObject([{ host: host.worker.host.id, pool: host.settings.pool }]);
    expect(body.pools).toEqual([{ pool: host.settings.pool, workers: 1 }]);
  });

  it('says that nobody serves the workflows of its queue', async () => {
    const unserved = await TestServer.start(host, { settings: { workflowQueue: 'nobody' } });
    try {
      expect((await unserved.ask('health')).body).toMatchObject({
        unserved: expect.stringMatching(/^no server serves workflows, so every run waits: start /),
      });
    } finally {
      await unserved.stop();
    }
  });

  it('tells version, schema and the Temporal UI', async () => {
    const { body } = await server.ask('settings');
    expect(body.temporalUi).toBe('http://127.0.0.1:8233');
    expect(body.configSchema).toMatchObject({
      type: 'object',
      required: expect.arrayContaining(['trainer', 'epochs']),
    });
    expect((await server.ask('alive')).body).toEqual({ ok: true });
  });

  it('has the chart as nodes and edges', async () => {
    const { nodes } = chartGraphSchema.parse((await server.ask('chart')).body);
    expect(nodes.filter(({ parent }) => parent === null).map(({ id }) => id)).toEqual([
      'configuring',
      'training',
      'stopping',
      'uploading',
      'stopped',
    ]);
  });

  it('describes itself as OpenAPI, with a page for people and no script from elsewhere', async () => {
    const { body } = await server.send('GET', '/api/docs/json');
    expect(body).toMatchObject({
      openapi: '3.1.0',
      paths: expect.objectContaining({ '/api/runs/{run}/stop': expect.anything() }),
    });
    const page = await server.send('GET', '/api/docs/');
    expect(page.text).toContain('swagger-ui');
    expect(page.text).not.toMatch(/<script(?![^>]*src="[^/:]*\/?[^:]*")/);
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
  });
});

describe('a run over HTTP', () => {
  it('is trained to its end, and its checkpoint downloads with its sha256', async () => {
    const details = await stopped(finished);
    expect(details).toMatchObject({
      summary: { state: 'stopped', outcome: 'completed', workflowStatus: 'completed' },
      trouble: null,
    });
    expect(details.temporalUi).toContain(`/namespaces/default/workflows/${finished}`);
    const { body: checkpoints } = await server.ask('checkpoints', { params: { run: finished } });
    const [checkpoint] = checkpoints;
    expect(checkpoint?.source).toBe('store');
    for (const [index, path] of (checkpoint?.paths ?? []).entries()) {
      const response = await fetch(
        `${server.address}/api/runs/${finished}/file?path=${encodeURIComponent(path)}&download=true`,
      );
      const bytes = Buffer.from(await response.arrayBuffer());
      expect(response.headers.get('content-disposition')).toContain('attachment');
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(checkpoint?.files[index]?.sha256);
    }
  });

  it('answers ranges of a file', async () => {
    const part = (range: string) =>
      server.send('GET', `/api/runs/${finished}/file?path=metrics.jsonl`, undefined, { range });
    const whole = (await part('')).text;
    const first = await part('bytes=0-9');
    expect(first).toMatchObject({ status: 206, text: whole.slice(0, 10) });
    expect(first.headers.get('content-range')).toBe(`bytes 0-9/${whole.length}`);
    expect(await part('bytes=-7')).toMatchObject({ status: 206, text: whole.slice(-7) });
    expect(await part(`bytes=${whole.length}-`)).toMatchObject({ status: 416, body: { kind: 'invalid' } });
    expect(await part('lines=1-2')).toMatchObject({ status: 200, text: whole });
  });

  it('has its files as folders, its log as lines, its metrics as columns', async () => {
    const { body: root } = await server.ask('files', { params: { run: finished } });
    expect(root.source).toBe('store');
    expect(root.entries.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['checkpoints', 'logs', 'metrics.jsonl', 'config.yaml', 'receipt.json']),
    );
    const { body: logs } = await server.ask('files', { params: { run: finished }, query: { folder: 'logs' } });
    expect(logs.entries.map(({ path }) => path)).toContain('logs/trainer.log');
    const { body: log } = await server.ask('log', { params: { run: finished } });
    expect(log).toMatchObject({ complete: true, source: 'store' });
    const { body: metrics } = await server.ask('metrics', { params: { run: finished } });
    expect(metrics).toMatchObject({ total: 4, epoch: [1, 2, 3, 4], metrics: { score: [1, 2, 3, 4] } });
    const { body: newer } = await server.ask('metrics', { params: { run: finished }, query: { after: 2 } });
    expect(newer.epoch).toEqual([3, 4]);
    const { body: fewer } = await server.ask('metrics', { params: { run: finished }, query: { points: 2 } });
    expect(fewer.epoch).toEqual([1, 4]);
    const { body: batches } = await server.ask('batches', { params: { run: finished } });
    expect([batches.epoch.at(-1), batches.batch[0]]).toEqual([4, 1]);
    expect(batches.metrics.loss).toHaveLength(batches.at.length);
    // A training this short may be over before it was measured.
    const { body: system } = await server.ask('system', { params: { run: finished } });
    expect(system.cpu).toHaveLength(system.at.length);
  });

  it('has its events: what it remembers, and what is in its results beside that', async () => {
    const { view } = (await server.ask('run', { params: { run: finished } })).body;
    const file = join(host.settings.store, 'experiments', 'default', finished, eventsFile);
    const [first = ''] = (await readFile(file, 'utf8')).split('\n');
    const at = (instant: string, data: object) => JSON.stringify({ ...JSON.parse(first), at: instant, ...data });
    const held = { kind: 'held', data: { isHeld: true } };
    const older = [
      at('2001-01-01T00:00:00.000Z', held),
      at('2001-01-02T00:00:00.000Z', { kind: 'of later' }),
      'not',
      '{',
    ];
    await writeFile(
      file,
      [...older, first, at('2999-01-01T00:00:00.000Z', { data: { state: 'stopped', detail: '' } }), ''].join('\n'),
    );
    expect((await server.ask('events', { params: { run: finished } })).body).toEqual([
      { at: '2001-01-01T00:00:00.000Z', message: 'pause' },
      ...(view?.events ?? []),
      { at: '2999-01-01T00:00:00.000Z', message: 'stopped' },
    ]);
  });

  it('is read on its host while it trains: log, files, metrics', async () => {
    const config = host.config({ epochs: 5_000, parameters: { batches: 5, batch_seconds: 0.02, print_noise: true } });
    const { body } = await server.ask('start', { body: { config } });
    const params = { run: body.run };
    await until(
      'has two epochs',
      async () => ((await server.ask('run', { params })).body.view?.position.epoch ?? 0) >= 2,
    );
    const { body: log } = await server.ask('log', { params, query: { lines: 5 } });
    expect(log).toMatchObject({ source: 'host', complete: false });
    expect(log.lines.length).toBe(5);
    const { body: found } = await server.ask('log', {
      params,
      query: { offset: 0, search: 'PRINTF IN 1:2', lines: 3 },
    });
    expect(found.lines[0]?.text).toContain('printf in 1:2');
    const { body: next } = await server.ask('log', { params, query: { offset: log.next } });
    for (const { offset } of next.lines) expect(offset).toBeGreaterThanOrEqual(log.next);
    expect((await server.ask('files', { params })).body).toMatchObject({ source: 'host' });
    expect((await server.ask('metrics', { params })).body.source).toBe('host');
    expect((await server.ask('events', { params })).body.map(({ message }) => message)).toContain('training');
    expect((await server.ask('file', { params, query: { path: 'metrics.jsonl' } })).text).toContain('"epoch": 1');
    await server.ask('stop', { params, body: { mode: 'now' } });
    await stopped(body.run);
  });

  it('pauses, resumes and stops; what means nothing in its state is refused', async () => {
    const { body } = await server.ask('start', { body: { config: host.config({ epochs: 50, parameters: slow }) } });
    const params = { run: body.run };
    await until('trains', async () => (await server.ask('run', { params })).body.view?.detail === 'training.epoch');
    expect(await server.ask('resume', { params, body: {} })).toMatchObject({
      status: 409,
      body: { kind: 'wrongState' },
    });
    expect((await server.ask('pause', { params, body: {} })).status).toBe(200);
    await until('pauses', async () => (await server.ask('run', { params })).body.view?.detail === 'training.paused');
    expect((await server.ask('resume', { params, body: {} })).status).toBe(200);
    await until(
      'trains again',
      async () => (await server.ask('run', { params })).body.view?.detail === 'training.epoch',
    );
    // Whoever looks at the rows has its host tell of it, however short its epochs are.
    await until('its row has progress', async () => {
      const { body: row } = await server.ask('progress', { query: { runs: body.run } });
      return row[body.run]?.some(({ kind }) => kind === 'training');
    });
    const { body: rows } = await server.ask('progress', { query: { runs: `${body.run},${finished},nobody` } });
    expect(rows[finished]).toEqual([]);
    expect(rows.nobody).toEqual([]);
    expect((await server.ask('stop', { params, body: { mode: 'batch' } })).body).toMatchObject({ state: 'stopping' });
    expect((await stopped(body.run)).view?.receipt).toMatchObject({ outcome: 'stopped', cause: { by: 'update' } });
    expect(await server.ask('stop', { params, body: {} })).toMatchObject({ status: 409, body: { kind: 'wrongState' } });
  });

  it('is a draft that takes fields until it trains', async () => {
    const { body } = await server.ask('start', {
      body: { config: { trainer: 'counter', pool: host.settings.pool }, draft: true },
    });
    const params = { run: body.run };
    await until(
      'is a draft',
      async () => (await server.ask('run', { params })).body.view?.detail === 'configuring.draft',
    );
    // Without an epoch of its own a run has no rows, which is no error.
    expect(await server.ask('metrics', { params })).toMatchObject({ status: 200, body: { total: 0, epoch: [] } });
    const refused = await server.ask('train', { params, body: {} });
    expect(refused).toMatchObject({ status: 400, body: { kind: 'invalid', problems: [{ field: 'epochs' }] } });
    const bad = await server.ask('configure', { params, body: { epochs: 0 } });
    expect(bad).toMatchObject({ status: 400, body: { problems: [{ field: 'epochs', value: '0' }] } });
    expect((await server.ask('configure', { params, body: { epochs: 1 } })).body.config.epochs).toBe(1);
    expect((await server.ask('train', { params, body: {} })).status).toBe(200);
    await stopped(body.run);
  });
});

describe('a configuration', () => {
  it('is checked by the trainer itself, every problem with its field', async () => {
    const good = await server.ask('check', { body: { config: host.config() } });
    expect(good.body).toMatchObject({ ok: true, config: { parameters: { batches: 5 } } });
    const bad = await server.ask('check', { body: { config: host.config({ parameters: { batches: -1 } }) } });
    expect(bad.body).toMatchObject({ ok: false, problems: [{ field: 'parameters.batches', value: '-1' }] });
    const unknown = await server.ask('check', { body: { config: { ...host.config(), epoch: 3 } } });
    expect(unknown.body).toMatchObject({
      ok: false,
      problems: [{ field: 'epoch', message: expect.stringContaining('did you mean epochs') }],
    });
    const started = await server.ask('start', { body: { config: { ...host.config(), epochs: 0 } } });
    expect(started).toMatchObject({
      status: 400,
      body: { kind: 'invalid', problems: [{ field: 'epochs', value: '0' }] },
    });
  });

  it('goes from YAML to fields and back, and says where in the text a problem is', async () => {
    const { body } = await server.ask('readConfig', {
      body: { yaml: 'trainer: counter\nepochs: 0\ncheckpoints:\n  last: many\n' },
    });
    expect(body.problems).toMatchObject([
      { field: 'epochs', line: 2, column: 1 },
      { field: 'checkpoints.last', line: 4, column: 3 },
    ]);
    const { body: syntax } = await server.ask('readConfig', { body: { yaml: 'a: [1,\nb' } });
    expect(syntax).toMatchObject({ config: null, problems: [{ line: expect.any(Number) }] });
    const config = {
      trainer: 'counter',
      epochs: 2,
      seed: 0,
      parameters: { batches: 3 },
      checkpoints: { last: 1, everyEpochs: 2 },
    };
    const { body: written } = await server.ask('writeConfig', { body: { config } });
    expect(written.yaml).toBe(
      'trainer: counter\nepochs: 2\nparameters:\n  batches: 3\ncheckpoints:\n  everyEpochs: 2\n',
    );
    const { body: again } = await server.ask('readConfig', { body: { yaml: written.yaml } });
    expect(again).toEqual({ config: written.config, problems: [] });
  });

  it('is cloned from a run, to start anew or to continue from a checkpoint', async () => {
    const params = { run: finished };
    const { body: clone } = await server.ask('clone', { params });
    expect(clone.config).not.toHaveProperty('run');
    expect(clone.config).toMatchObject({ trainer: 'counter', epochs: 4, pool: host.settings.pool });
    const { body: fork } = await server.ask('clone', { params, query: { checkpoint: 'best', keepProgress: 'false' } });
    expect(fork.config.continueFrom).toMatchObject({
      checkpoint: 'best',
      keepProgress: false,
      outputFolder: expect.stringContaining(finished),
    });
    expect((await server.ask('check', { body: { config: fork.config } })).body).toMatchObject({ ok: true });
    // All four epochs are trained: one that goes on has to train more.
    const { body: longer } = await server.ask('clone', { params, query: { checkpoint: 'last' } });
    expect(longer.config).toMatchObject({ epochs: 8, continueFrom: { checkpoint: 'last' } });
    expect((await server.ask('check', { body: { config: longer.config } })).body).toMatchObject({ ok: true });
    expect(await server.ask('clone', { params, query: { checkpoint: 'epoch-0999' } })).toMatchObject({
      status: 400,
      body: { problems: [{ field: 'checkpoint' }] },
    });
  });

  it('is made for a trainer, whose manifest has the schema of its parameters', async () => {
    const { body } = await server.ask('trainers', { query: { pool: host.settings.pool } });
    const counter = body.flatMap((trainer) =>
      trainer.ok && trainer.manifest.name === 'counter' ? [trainer.manifest] : [],
    )[0];
    expect(counter?.parameters).toMatchObject({ properties: { batches: { minimum: 1 } } });
  });
});

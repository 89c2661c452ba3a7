/** The live stream of a run: many who watch, one who is slow, and Temporal or the worker away for a while. */
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type LiveMessage, liveMessageSchema } from '../../contracts/http-answers.ts';
import { addressOf } from '../../contracts/http-api.ts';
import { startTemporalServer } from '../../launch/temporal-server.ts';
import { Hold } from '../faults/hold.ts';
import { TestHost, testLog } from '../support/test-host.ts';
import { connectTo, TestServer } from '../support/test-server.ts';
import { until } from '../support/until.ts';
import { startWorkerWithControl } from '../support/worker-with-control.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

let host: TestHost;
let server: TestServer;
beforeAll(async () => {
  host = await TestHost.start({ slots: 3 });
  server = await TestServer.start(host);
});
afterAll(async () => {
  await server?.stop();
  await host?.stop();
});

interface Watched {
  status: number;
  messages: LiveMessage[];
  ended: Promise<void>;
  close(): void;
  /** Takes nothing any more, or again. */
  pause(): void;
  resume(): void;
}

function watch(address: string, run: string): Promise<Watched> {
  return new Promise((resolve, reject) => {
    const sent = request(`${address}${addressOf('live', { run })}`, { agent: false }, (response) => {
      const messages: LiveMessage[] = [];
      let rest = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        const events = (rest + text).split('\n\n');
        rest = events.pop() ?? '';
        for (const event of events) {
          const data = /^data: (.*)$/m.exec(event)?.[1];
          if (data) messages.push(liveMessageSchema.parse(JSON.parse(data)));
        }
      });
      const ended = new Promise<void>((done) => response.on('close', () => done()));
      response.on('error', () => undefined);
      resolve({
        status: response.statusCode ?? 0,
        messages,
        ended,
        close: () => sent.destroy(),
        pause: () => response.pause(),
        resume: () => response.resume(),
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

const long = { batches: 200, batch_seconds: 0.02 };
const training = (run: string) =>
  until(
    `${run} trains`,
    async () => (await server.ask('run', { params: { run } })).body.view?.detail === 'training.epoch',
  );

describe('a live stream', () => {
  it('tells details first, then progress and changes, then the receipt, and ends', async () => {
    const hold = await Hold.at(host.settings.dataFolder, ['2:18']);
    const parameters = { batches: 20, batch_seconds: 0.05, ...hold.parameters };
    const { body } = await server.ask('start', { body: { config: host.config({ epochs: 3, parameters }) } });
    const watched = await watch(server.address, body.run);
    expect(watched.status).toBe(200);
    const trained = () =>
      watched.messages
        .flatMap((message) => (message.kind === 'progress' ? message.progress : []))
        .filter(({ kind }) => kind === 'training');
    await until('it is seen to train', () => trained().length > 0);
    await hold.release();
    await watched.ended;
    const kinds = watched.messages.map(({ kind }) => kind);
    expect(kinds[0]).toBe('details');
    expect(kinds.at(-1)).toBe('receipt');
    const last = watched.messages.at(-1);
    expect(last?.kind === 'receipt' && last.receipt?.outcome).toBe('completed');
    const states = new Set(
      watched.messages.flatMap((message) => (message.kind === 'details' ? [message.details.view?.state] : [])),
    );
    expect([...states]).toEqual(expect.arrayContaining(['training', 'stopped']));
    // Whoever comes later is told the same end at once.
    const later = await watch(server.address, body.run);
    await later.ended;
    expect(later.messages.map(({ kind }) => kind)).toEqual(['details', 'receipt']);
  });

  it('is 404 for a run that is not there', async () => {
    expect((await watch(server.address, 'no-such-run')).status).toBe(404);
    expect(server.running.watched).toBe(0);
  });

  it('has 200 watchers on one run at once, by one watch, with memory flat; a slow one holds nobody up', async () => {
    const { body } = await server.ask('start', { body: { config: host.config({ epochs: 500, parameters: long }) } });
    await training(body.run);
    const slow = await watch(server.address, body.run);
    slow.pause();
    const watchers = await Promise.all(Array.from({ length: 200 }, () => watch(server.address, body.run)));
    expect(server.running.watched).toBe(1);
    const told = () => watchers.map(({ messages }) => messages.length);
    await until('all are told', () => told().every((count) => count >= 3));
    // The watchers of this test live in the same process: what they hold is let go before memory is measured.
    const heap = () => {
      for (const { messages } of watchers) messages.length = 0;
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = heap();
    await until('all are told much', () => Math.min(...told()) >= 30);
    expect(heap() - before).toBeLessThan(8 * 1024 * 1024);
    await server.ask('stop', { params: { run: body.run }, body: {} });
    await Promise.all(watchers.map(({ ended }) => ended));
    for (const { messages } of watchers) expect(messages.at(-1)?.kind).toBe('receipt');
    slow.resume();
    await slow.ended;
    expect(slow.messages.at(-1)?.kind).toBe('receipt');
    await until('nothing is watched', () => server.running.watched === 0);
  });

  it('tells of batches while they are trained, in their order', async () => {
    const { body } = await server.ask('start', { body: { config: host.config({ epochs: 500, parameters: long }) } });
    await training(body.run);
    const watched = await watch(server.address, body.run);
    const told = () =>
      watched.messages.flatMap((message) =>
        message.kind === 'progress'
          ? message.progress.flatMap((live) => (live.kind === 'training' ? [live.at] : []))
          : [],
      );
    // How soon is measured by `npm run bench -- webProgress`.
    await until('forty messages of progress', () => told().length >= 40);
    watched.close();
    expect(told()).toEqual(told().toSorted());
    await server.ask('stop', { params: { run: body.run }, body: { mode: 'now' } });
  });
});

describe('while something is away', () => {
  it('shows the summary without a worker, and goes on when one is back', async () => {
    const own = await TestHost.start();
    const api = await TestServer.start(own);
    try {
      const { body } = await api.ask('start', { body: { config: own.config({ epochs: 500, parameters: long }) } });
      const params = { run: body.run };
      await until('trains', async () => (await api.ask('run', { params })).body.view?.detail === 'training.epoch');
      await own.worker.stopNow();
      const details = await until('nobody answers', async () => {
        const answer = await api.ask('run', { params });
        return answer.body.view === null ? answer.body : null;
      });
      expect(details).toMatchObject({
        summary: { run: body.run, state: 'training' },
        trouble: expect.stringContaining('no server answered'),
      });
      expect((await api.ask('health')).body).toMatchObject({
        temporal: { reachable: true },
        workers: [],
        pools: [{ pool: own.settings.pool, workers: 0 }],
      });
      expect((await api.ask('hosts')).body).toMatchObject([
        { status: null, problem: expect.stringContaining('does not answer') },
      ]);
      expect(await api.ask('stop', { params, body: {} })).toMatchObject({ status: 503, body: { kind: 'workersAway' } });
      const watched = await watch(api.address, body.run);
      expect(watched.messages[0] ?? (await until('is told', () => watched.messages[0]))).toMatchObject({
        kind: 'details',
        details: { view: null },
      });
      own.worker = await startWorkerWithControl({
        settings: own.settings,
        log: testLog(),
        temporal: { address: inject('temporalAddress') },
      });
      await until('the view is back', () =>
        watched.messages.some((message) => message.kind === 'details' && message.details.view !== null),
      );
      await until('the worker is back', async () => (await api.ask('health')).body.workers.length === 1);
      watched.close();
    } finally {
      await api.stop();
      await own.stop();
    }
  });

  it('lists, answers 503, keeps streams open, and recovers when Temporal is back', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'epochal-away-'));
    const temporalOptions = {
      binary: inject('temporalBinary'),
      logFile: join(folder, 'temporal.log'),
      databaseFile: join(folder, 'db'),
      ui: false,
    };
    let temporal = await startTemporalServer(temporalOptions);
    const { address } = temporal;
    const port = Number(address.split(':')[1]);
    const settings = { ...host.settings, dataFolder: join(folder, 'data'), store: join(folder, 'data', 'store') };
    const worker = await startWorkerWithControl({ settings, log: testLog(), temporal: { address } });
    // The server is there before Temporal is known to it.
    const own = await TestServer.start(host, { connect: () => connectTo(address) });
    try {
      await until('the worker is seen', async () => (await own.ask('health')).body.workers.length === 1);
      const { body } = await own.ask('start', { body: { config: host.config({ epochs: 500, parameters: long }) } });
      const params = { run: body.run };
      await until('trains', async () => (await own.ask('run', { params })).body.view?.detail === 'training.epoch');
      const watched = await watch(own.address, body.run);
      await until('is told details', () => watched.messages.length > 0);

      await temporal.stop();
      await until('the stream tells trouble', () =>
        watched.messages.some((message) => message.kind === 'trouble' && message.trouble !== null),
      );
      const away = await own.ask('run', { params });
      expect(away).toMatchObject({ status: 503, body: { kind: 'temporalAway' } });
      expect(away.headers.get('retry-after')).toBe('2');
      const health = await until('health says so', async () => {
        const answer = await own.ask('health');
        return answer.body.temporal.reachable ? null : answer;
      });
      expect(health).toMatchObject({
        status: 200,
        body: { temporal: { problem: expect.stringContaining(address) }, workers: [] },
      });

      temporal = await startTemporalServer({ ...temporalOptions, port });
      expect(temporal.address).toBe(address);
      const count = watched.messages.length;
      await until('the stream recovers', () =>
        watched.messages.slice(count).some(({ kind }) => kind === 'progress' || kind === 'details'),
      );
      await until('a page works again', async () => (await own.ask('run', { params })).status === 200);
      expect(watched.messages.findLast(({ kind }) => kind === 'trouble')).toEqual({ kind: 'trouble', trouble: null });
      await own.ask('stop', { params, body: { mode: 'now' } });
      await watched.ended;
      expect(watched.messages.at(-1)?.kind).toBe('receipt');
    } finally {
      await own.stop();
      await worker.stopNow().catch(() => undefined);
      await temporal.stop();
      await rm(folder, { recursive: true, force: true });
    }
  }, 240_000);

  it('starts without Temporal, and finds it later', async () => {
    let isThere = false;
    const own = await TestServer.start(host, {
      connect: async () => connectTo(isThere ? inject('temporalAddress') : '127.0.0.1:1'),
    });
    try {
      expect((await own.ask('health')).status).toBe(200);
      isThere = true;
      await until('it finds Temporal', async () => (await own.ask('health')).body.temporal.reachable);
    } finally {
      await own.stop();
    }
  });
});

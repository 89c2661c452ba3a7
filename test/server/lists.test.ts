/** Lists of the API: runs by pages, who waits, hosts and their folders, lives. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { NoWorkerError } from '../../client/errors.ts';
import { parseSearch } from '../../contracts/run-search.ts';
import { RunIndex } from '../../server/run-index/run-index.ts';
import { type Backend, TemporalLink } from '../../server/temporal-link.ts';
import { TestHost } from '../support/test-host.ts';
import { connectTo, TestServer } from '../support/test-server.ts';
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
    return body.view?.state === 'stopped' ? body : null;
  });
const slow = { batches: 500, batch_seconds: 0.02 };

describe('lists', () => {
  it('pages, filters and sorts runs', async () => {
    const project = `p-${finished.slice(-4)}`;
    const runs = await Promise.all(
      [1, 2, 3].map(
        async (epochs) =>
          (
            await server.ask('start', {
              body: { config: host.config({ epochs, project, parameters: { batches: 1 } }) },
            })
          ).body.run,
      ),
    );
    await Promise.all(runs.map(stopped));
    const all = await until('visibility has them', async () => {
      const { body } = await server.ask('runs', { query: { project, state: 'stopped', outcome: 'completed' } });
      // They are listed and counted by two questions.
      return body.runs.length === 3 && body.total === 3 ? body : null;
    });
    expect(all).toMatchObject({ total: 3, next: null, sortedAll: true });
    // Until it is known which metric is theirs, they are not ranked together. Runs of other tests may stay unknown.
    await until('they are known', async () => {
      const { body } = await server.ask('runs', { query: { search: `project:${project} epochs >= 1` } });
      return body.total === 3;
    });
    const { body: best } = await server.ask('runs', { query: { project, sort: '-bestMetric', limit: 2 } });
    expect(best.runs.map(({ bestMetric }) => bestMetric)).toEqual([3, 2]);
    const { body: rest } = await server.ask('runs', {
      query: { project, sort: '-bestMetric', limit: 2, cursor: best.next ?? '' },
    });
    expect(rest).toMatchObject({ runs: [{ bestMetric: 1 }], next: null });
    const { body: first } = await server.ask('runs', { query: { project, limit: 2 } });
    const { body: second } = await server.ask('runs', { query: { project, limit: 2, cursor: first.next ?? '' } });
    expect(new Set([...first.runs, ...second.runs].map(({ run }) => run)).size).toBe(3);
    const { body: text } = await server.ask('runs', { query: { text: runs[0] ?? '' } });
    expect(text.runs.map(({ run }) => run)).toEqual([runs[0]]);

    const search = `project:${project} epochs >= 2 -epochs:9 counter`;
    const columns = 'epochs,parameters.batches,best.metric,nothing';
    const { body: found } = await server.ask('runs', { query: { search, columns, sort: '-trained' } });
    expect(found.runs.map(({ run }) => run)).toEqual([runs[2], runs[1]]);
    const { metric } = (await server.ask('run', { params: { run: finished } })).body.view?.best ?? {};
    expect(found.values[runs[1] ?? '']).toEqual({ epochs: 2, 'parameters.batches': 1, 'best.metric': metric });
    expect((await server.ask('runFields')).body).toContainEqual({
      field: 'parameters.batches',
      runs: expect.any(Number),
    });
    const wrong = await server.ask('runs', { query: { search: 'epochs > many' } });
    expect(wrong).toMatchObject({ status: 400, body: { kind: 'invalid' } });
    expect(wrong.text).toContain('at 10, \\"many\\": must be a number');
  });

  it('an index that is made anew asks no run again that is over, and forgets those that the server forgets', async () => {
    const run = (await server.ask('start', { body: { config: host.config({ epochs: 1 }) } })).body.run;
    await stopped(run);
    const link = new TemporalLink(host.settings, () => connectTo(inject('temporalAddress')));
    const file = join(host.settings.dataFolder, 'another-index.jsonl');
    const [first, second] = [new RunIndex(file), new RunIndex(file, 0)];
    try {
      const backend = await link.backend();
      const { terms } = parseSearch('epochs:1 trained:1');
      const ask = (index: RunIndex, from: Backend) =>
        index.page(from, { terms, run, order: null, limit: 10, offset: 0 });
      await until('it is found', async () => (await ask(first, backend)).total === 1);
      await until('it is remembered', async () => {
        // It may have been found before the server listed its end.
        await ask(first, backend);
        return (await readFile(file, 'utf8').catch(() => '')).includes(run);
      });
      const silent = { view: () => Promise.reject(new NoWorkerError('nobody is to be asked')) };
      const offline = { ...backend, training: silent as unknown as Backend['training'] };
      expect((await ask(second, offline)).total).toBe(1);
      const { connection, options } = backend.calls.client;
      const workflowExecution = { workflowId: run };
      await connection.workflowService.deleteWorkflowExecution({ namespace: options.namespace, workflowExecution });
      await until('it is gone', async () => (await ask(second, offline)).total === 0);
    } finally {
      first.close();
      second.close();
      await link.close();
    }
  });

  it('tell who waits behind how many, and what became of a run that was ended by force', async () => {
    const project = `queue-${finished.slice(-4)}`;
    const start = async () =>
      (await server.ask('start', { body: { config: host.config({ epochs: 50, project, parameters: slow }) } })).body
        .run;
    const training = [await start(), await start()];
    for (const run of training) {
      await until(`${run} trains`, async () => {
        const { body } = await server.ask('run', { params: { run } });
        return body.view?.detail === 'training.epoch';
      });
    }
    const waiting = [await start(), await start()];
    for (const [ahead, run] of waiting.entries()) {
      await until(`${run} waits behind ${ahead}`, async () => {
        const { body } = await server.ask('progress', { query: { runs: run } });
        return body[run]?.some((live) => live.kind === 'waiting' && live.ahead === ahead);
      });
    }
    expect((await server.ask('run', { params: { run: waiting[0] ?? '' } })).body.summary).toMatchObject({
      standing: 'waiting',
      startedAt: expect.any(String),
    });
    for (const run of waiting) await server.ask('stop', { params: { run }, body: {} });
    const [run = '', other = ''] = training;
    await host.client.workflow.getHandle(run).terminate('a test');
    await until('its salvage is told', async () => {
      const { body } = await server.ask('run', { params: { run } });
      expect(body.summary).toMatchObject({ state: 'stopped', detail: 'stopped', closedAt: expect.any(String) });
      expect(['ended', 'salvaging', 'salvaged', 'lost']).toContain(body.summary.standing);
      return body.summary.outcome !== null && body.view?.receipt?.outcome === body.summary.outcome;
    });
    for (const outcome of ['salvaged', 'lost'] as const) {
      const { body } = await server.ask('runs', { query: { project, outcome } });
      expect(body.total).toBe(null);
      const { summary } = (await server.ask('run', { params: { run } })).body;
      expect(body.runs.map((one) => one.run)).toEqual(summary.outcome === outcome ? [run] : []);
    }
    await server.ask('stop', { params: { run: other }, body: { mode: 'now' } });
    await stopped(other);
  });

  it('hosts, with slots, and the folders that they keep', async () => {
    const { body: hosts } = await server.ask('hosts');
    expect(hosts).toMatchObject([{ host: host.worker.host.id, status: { slots: { total: 2 } }, problem: null }]);
    const config = host.config({ epochs: 3, parameters: { fail_at: '2:1', fail_times: 0 }, failures: { restarts: 0 } });
    const { body } = await server.ask('start', { body: { config } });
    await stopped(body.run);
    const { body: kept } = await server.ask('keptFolders');
    expect(kept).toMatchObject({
      silent: [],
      asked: [host.worker.host.id],
      folders: [{ run: body.run, state: 'kept', stored: true }],
    });
    const params = { host: host.worker.host.id, run: body.run };
    expect(await server.ask('removeKept', { params })).toMatchObject({ status: 200, body: { removed: true } });
    expect(await server.ask('removeKept', { params })).toMatchObject({ status: 400, body: { kind: 'invalid' } });
    expect((await server.ask('keptFolders')).body.folders).toEqual([]);
    // What it published stays.
    const receipt = JSON.parse(
      (await server.ask('file', { params: { run: body.run }, query: { path: 'receipt.json' } })).text,
    );
    expect(receipt).toMatchObject({ outcome: 'failed' });
    expect(await readFile(join(receipt.outputFolder, 'config.yaml'), 'utf8')).toContain('counter');
  });

  it('of another life of a run: its files, and its folder on a host', async () => {
    const life = `${finished}@0123abcd`;
    const output = join(host.settings.store, 'experiments', 'default', life);
    await mkdir(output, { recursive: true });
    await writeFile(join(output, 'receipt.json'), 'of another life');
    const query = { path: 'receipt.json' };
    expect((await server.ask('file', { params: { run: life }, query })).text).toBe('of another life');
    expect((await server.ask('file', { params: { run: finished }, query })).text).not.toBe('of another life');
    expect((await server.ask('log', { params: { run: `${finished}@01234567` } })).status).toBe(404);
    expect((await server.ask('events', { params: { run: life } })).body).toEqual([]);
    expect((await server.ask('file', { params: { run: `${finished}@x` }, query })).status).toBe(400);
    const { folders } = host.worker.host;
    await folders.make(life);
    await folders.make(finished);
    const params = { host: host.worker.host.id, run: life };
    // Nothing in it says where it belongs.
    expect(await server.ask('publishKept', { params })).toMatchObject({ status: 400, body: { kind: 'invalid' } });
    expect(await server.ask('removeKept', { params })).toMatchObject({ status: 200, body: { removed: true } });
    expect((await folders.list()).map(({ place }) => place)).toEqual([finished]);
    await folders.remove(finished);
  });
});

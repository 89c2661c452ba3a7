/** The typed client against a real server, a real worker and real trainer processes. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ConfigError,
  NoReceiptError,
  NoWorkerError,
  RunNotFoundError,
  ServerRefusedError,
  ServerUnreachableError,
  WorkerFailedError,
  WrongStateError,
} from '../../client/errors.ts';
import type { RunFilter, RunSummary } from '../../client/run-filter.ts';
import { TrainingClient } from '../../client/training-client.ts';
import { version } from '../../client/version.ts';
import type { WatchItem } from '../../client/watch.ts';
import { TestHost } from '../support/test-host.ts';
import { until } from '../support/until.ts';

let host: TestHost;
let client: TrainingClient;
beforeAll(async () => {
  host = await TestHost.start({ slots: 3 });
  client = clientOf(host);
});
afterAll(() => host?.stop());

const clientOf = (of: TestHost) => new TrainingClient(of.client, { workflowQueue: of.settings.workflowQueue });
const slow = { batches: 200, batch_seconds: 0.02 };
const trains = (run: string) =>
  until(`${run} trains`, async () => (await client.view(run)).detail === 'training.epoch');

type Thrown<E> = abstract new (...args: never[]) => E;
async function errorOf<E extends Error>(type: Thrown<E>, work: Promise<unknown>): Promise<E> {
  const error = await work.then(
    (answer) => expect.fail(`nothing was thrown, but ${JSON.stringify(answer)} answered`),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(type);
  return error as E;
}

async function listed(filter: RunFilter): Promise<RunSummary[]> {
  const runs: RunSummary[] = [];
  for await (const run of client.list(filter)) runs.push(run);
  return runs;
}

describe('messages to a run', () => {
  it('a draft is configured, refused, and trained', async () => {
    // Whoever trains one for a pool that nobody serves hears of it, and does not wait for good.
    const lonely = await client.start({ ...host.config(), pool: 'nobody-serves-this' }, { draft: true });
    const refusal = errorOf(ConfigError, client.train(lonely.run));
    const { run, outputFolder } = await client.start({ trainer: 'counter', pool: host.settings.pool }, { draft: true });
    expect(outputFolder).toBeNull();
    expect((await errorOf(ConfigError, client.train(run))).message).toBe('epochs is missing: must be a whole number');
    expect((await errorOf(ConfigError, client.configure(run, { epochz: 1 }))).message).toBe(
      'epochz is 1: unknown field; did you mean epochs?',
    );
    expect((await client.configure(run, { epochs: 2, parameters: { batches: 3 } })).config).toMatchObject({
      epochs: 2,
    });
    const bad = await client
      .configure(run, { parameters: { batches: -1 } })
      .then(() => errorOf(ConfigError, client.train(run)));
    expect(bad.message).toMatch(/^parameters\.batches is -1: /);
    await client.configure(run, { parameters: { batches: null } });
    await client.train(run);
    expect(await client.result(run)).toMatchObject({ outcome: 'completed', epochs: { trained: 2 } });
    expect((await refusal).message).toMatch(/^pool is "?nobody-serves-this"?: must be a pool that has a worker/);
    expect((await client.view(lonely.run)).state).toBe('configuring');
  });

  it('stop, pause and resume answer with the view, and are refused where they mean nothing', async () => {
    const { run } = await client.start(host.config({ epochs: 50, parameters: slow }));
    await trains(run);
    expect((await errorOf(WrongStateError, client.resume(run))).message).toMatch(
      /^resume is refused: the run is in training/,
    );
    expect((await errorOf(WrongStateError, client.configure(run, { epochs: 3 }))).message).toMatch(
      /^configure is refused: /,
    );
    await client.pause(run);
    await until('it pauses', async () => (await client.view(run)).detail === 'training.paused');
    expect((await errorOf(WrongStateError, client.pause(run))).message).toMatch(/^pause is refused/);
    expect((await client.resume(run)).state).toBe('training');
    await trains(run);
    await symlink('/etc/hostname', join(host.settings.dataFolder, 'runs', run, 'artifacts', 'host'));
    expect((await client.stop(run, 'epoch')).state).toBe('stopping');
    expect((await client.stop(run, 'now')).state).toBe('stopping');
    const receipt = await client.result(run);
    expect(receipt).toMatchObject({ outcome: 'stopped' });
    expect(receipt.files.map(({ path }) => path)).not.toContain('artifacts/host');
    expect(receipt.notes).toContain(
      'not published: symbolic links that do not lead to a file of the run folder: "artifacts/host"',
    );
    expect((await errorOf(WrongStateError, client.stop(run))).message).toBe(`run ${run} has stopped already`);
    await errorOf(ConfigError, client.stop(run, 'soon' as never));
  });

  it('for a run that is not there names it; hostile names go nowhere', async () => {
    for (const ask of [
      () => client.view('no-such'),
      () => client.stop('no-such'),
      () => client.result('no-such'),
      () => client.watch('no-such').next(),
    ]) {
      expect((await errorOf(RunNotFoundError, ask())).message).toBe(
        'run is "no-such": Temporal knows no run with this id, or no longer; "epochal ls" lists those that it knows',
      );
    }
    for (const hostile of ['..', '../x', '/etc/passwd', 'a\0b', '', 'x'.repeat(10_000)]) {
      for (const ask of [
        () => client.view(hostile),
        () => client.stop(hostile),
        () => client.result(hostile),
        () => client.removeKept('host', hostile),
        () => client.removeKept(hostile, 'run'),
        () => client.trainers(hostile),
        () => client.start(host.config({ run: hostile })),
        () => client.start(host.config({ project: hostile })),
        () => client.start(host.config({ trainer: hostile }), { draft: true }),
      ]) {
        const error = await errorOf(ConfigError, ask());
        expect(error.message).toMatch(
          /^(run|host|pool|project|trainer) is ".*": (must consist of letters|must be a run id, or one of its lives)/,
        );
        expect(error.message.length).toBeLessThan(300);
      }
    }
  });
});

describe('the end of a run', () => {
  it('as failed comes with its receipt, its folder is kept, and removed on request', async () => {
    const { run } = await client.start(
      host.config({ epochs: 3, parameters: { fail_at: '2:1', fail_times: 0 }, failures: { restarts: 0 } }),
    );
    const receipt = await client.result(run);
    expect(receipt).toMatchObject({
      outcome: 'failed',
      cause: { kind: 'failure', failure: { kind: 'trainerError' } },
      localFolder: { kind: 'kept' },
    });
    const [answer] = await client.keptFolders({ pool: host.settings.pool });
    expect(answer).toMatchObject({ ok: true, host: host.worker.host.id });
    const folder = answer?.ok ? answer.folders.find((one) => one.run === run) : undefined;
    expect(folder).toMatchObject({ state: 'kept', host: host.worker.host.id });
    await client.removeKept(host.worker.host.id, run);
    expect(existsSync(folder?.path ?? '')).toBe(false);
    expect((await errorOf(ConfigError, client.removeKept(host.worker.host.id, run))).message).toBe(
      `run is "${run}": ${host.worker.host.id} has no folder of it`,
    );
  });

  it('by a cancel comes with its receipt; without one before it trained', async () => {
    const { run } = await client.start(host.config({ epochs: 50, parameters: slow }));
    await trains(run);
    await host.client.workflow.getHandle(run).cancel();
    expect(await client.result(run)).toMatchObject({ outcome: 'stopped', cause: { kind: 'stop', by: 'cancel' } });

    const draft = await client.start(host.config(), { draft: true });
    await client.view(draft.run);
    await host.client.workflow.getHandle(draft.run).cancel();
    const error = await errorOf(NoReceiptError, client.result(draft.run));
    expect(error).toMatchObject({ reason: 'cancelled', message: `run ${draft.run} was cancelled before it trained` });
    const items: WatchItem[] = [];
    for await (const item of client.watch(draft.run)) items.push(item);
    expect(items.at(-1)).toMatchObject({ kind: 'end', receipt: null, problem: { reason: 'cancelled' } });
  });

  it('by force comes with the receipt of its salvage, and is listed so', async () => {
    const { run } = await client.start(host.config({ epochs: 50, parameters: { batches: 10, batch_seconds: 0.02 } }));
    await until('an epoch is complete', async () => (await client.view(run)).position.epoch > 0);
    await host.client.workflow.getHandle(run).terminate('a test');
    const receipt = await client.result(run);
    expect(receipt).toMatchObject({ run, outcome: 'salvaged' });
    const found = await until('visibility knows', async () =>
      (await listed({ outcome: 'salvaged', limit: 1000 })).find((one) => one.run === run),
    );
    expect(found).toMatchObject({ state: 'stopped', standing: 'salvaged', outcome: 'salvaged' });
    expect((await listed({ outcome: 'lost', limit: 1000 })).map((one) => one.run)).not.toContain(run);
  });

  it('is filtered by in lists', async () => {
    const project = `project-${randomUUID().slice(0, 8)}`;
    const { run: done } = await client.start(host.config({ epochs: 1, project }));
    await client.result(done);
    const { run: draft } = await client.start(host.config({ project }), { draft: true });
    await until(
      'both are listed',
      async () =>
        (await listed({ project })).length === 2 && (await listed({ project, outcome: 'completed' })).length === 1,
    );
    expect(await listed({ project, state: 'configuring' })).toMatchObject([
      { run: draft, standing: 'draft', outcome: null, trainer: 'counter', startedAt: null, closedAt: null },
    ]);
    expect(await listed({ project, state: 'stopped' })).toMatchObject([
      {
        run: done,
        standing: 'completed',
        outcome: 'completed',
        startedAt: expect.any(String),
        bestMetric: expect.any(Number),
      },
    ]);
    expect((await listed({ project, limit: 1 })).map(({ run }) => run)).toEqual([draft]);
    expect(await listed({ project, trainer: 'digits' })).toEqual([]);
    await errorOf(ConfigError, listed({ project: `x' OR '1'='1` }));
    expect((await errorOf(ConfigError, listed({ state: 'busy' as never }))).message).toMatch(
      /^state is "busy": must be "configuring", /,
    );
    await client.stop(draft);
    await client.result(draft);
  });
});

describe('the hosts of a pool', () => {
  it('tell their slots and trainers', async () => {
    expect(await client.hosts(host.settings.pool)).toMatchObject([
      {
        ok: true,
        status: {
          host: host.worker.host.id,
          pool: host.settings.pool,
          slots: { total: 3 },
          dataFolder: host.settings.dataFolder,
          software: { version, contract: 1, can: expect.arrayContaining(['trainEpoch', 'hostStatus', 'findLostRuns']) },
        },
      },
    ]);
    expect(await client.hosts('nobody')).toEqual([]);
    const trainers = await client.trainers(host.settings.pool);
    expect(trainers.flatMap((trainer) => (trainer.ok ? [trainer.manifest.name] : []))).toEqual(
      expect.arrayContaining(['counter', 'digits']),
    );
  });

  it('that are away are named', async () => {
    const gone = await TestHost.start();
    const askGone = clientOf(gone);
    await askGone.trainers(gone.settings.pool);
    await gone.worker.stopNow();
    const quick = new TrainingClient(gone.client, { workerSeconds: 1 });
    const problem = `host ${gone.worker.host.id} does not answer: its worker is not running`;
    expect(await quick.hosts(gone.settings.pool)).toEqual([{ ok: false, host: gone.worker.host.id, problem }]);
    expect(await quick.keptFolders({ host: gone.worker.host.id })).toEqual([
      { ok: false, host: gone.worker.host.id, problem },
    ]);
    await gone.stop();
  });
});

describe('trouble', () => {
  it('without a worker is told, and the watch goes on when one is back', async () => {
    const away = await TestHost.start();
    const quick = new TrainingClient(away.client, { workflowQueue: away.settings.workflowQueue, workerSeconds: 1 });
    const { run } = await quick.start(away.config({ epochs: 2, parameters: { batches: 3 } }), { draft: true });
    await away.worker.stopNow();
    const stopped = await errorOf(NoWorkerError, quick.train(run));
    expect(stopped.message).toBe(
      `no server answered for run ${run} within 1 s: is one running? "epochal server" starts one; "train" may still be done when one comes`,
    );
    await errorOf(NoWorkerError, quick.view(run));
    const controller = new AbortController();
    const items: WatchItem[] = [];
    const watched = (async () => {
      for await (const item of quick.watch(run, { signal: controller.signal, intervalMs: 50 })) items.push(item);
    })();
    await until('the trouble is told', () =>
      items.some((item) => item.kind === 'trouble' && item.message.startsWith(`no server answered for run ${run}`)),
    );
    const { startWorkerWithControl } = await import('../support/worker-with-control.ts');
    away.worker = await startWorkerWithControl({
      settings: away.settings,
      log: (await import('../support/test-host.ts')).testLog(),
      temporal: { address: away.connection.options.address },
    });
    await until('it recovers', () => items.some(({ kind }) => kind === 'recovered'));
    expect(items.find(({ kind }) => kind === 'view')).toBeDefined();
    controller.abort();
    await watched;
    const untilThen = items.slice(
      0,
      items.findIndex(({ kind }) => kind === 'recovered'),
    );
    expect(untilThen.filter(({ kind }) => kind === 'trouble')).toHaveLength(1);
    await away.stop();
  });

  it('with the server is one sentence', async () => {
    const { address } = host.connection.options;
    const connection = await Connection.connect({ address });
    const elsewhere = new TrainingClient(new Client({ connection, namespace: 'nowhere' }));
    const error = await errorOf(ServerRefusedError, elsewhere.view('x'));
    expect(error.message).toBe(`the Temporal server at ${address} has no namespace "nowhere"`);
    await connection.close();
    const lazy = Connection.lazy({ address: '127.0.0.1:1' });
    const unreachable = new TrainingClient(new Client({ connection: lazy }), { workerSeconds: 1 });
    await errorOf(ServerUnreachableError, unreachable.view('x'));
    await errorOf(ServerUnreachableError, unreachable.check(host.config()));
    await lazy.close();
  });

  it('of a trainer that cannot be described is the worker’s', async () => {
    const broken = join(host.settings.dataFolder, 'trainers');
    await mkdir(broken, { recursive: true });
    await writeFile(join(broken, 'broken.py'), 'raise SystemExit("no such luck")\n');
    const other = await TestHost.start({ settings: { trainersFolders: [broken] } });
    try {
      await errorOf(WorkerFailedError, clientOf(other).start({ ...other.config(), trainer: 'broken' }));
      expect(await clientOf(other).trainers(other.settings.pool)).toMatchObject([{ ok: false, name: 'broken' }]);
    } finally {
      await other.stop();
    }
  });
});

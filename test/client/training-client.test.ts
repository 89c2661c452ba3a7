/** The typed client against a real server, a real worker and real trainer processes. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  ConfigError,
  NoReceiptError,
  NoWorkerError,
  RunInUseError,
  RunNotFoundError,
  ServerRefusedError,
  ServerUnreachableError,
  WorkerFailedError,
  WrongStateError,
} from '../../client/errors.ts';
import type { RunFilter, RunSummary } from '../../client/run-filter.ts';
import { TrainingClient } from '../../client/training-client.ts';
import type { WatchItem } from '../../client/watch.ts';
import { type RunConfigInput, runConfigSchema } from '../../contracts/run-config.ts';
import { SessionProblem } from '../../worker/sessions.ts';
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

describe('starting', () => {
  it('checks on a worker, starts, and is watched to its receipt', async () => {
    const started = await client.start(host.config({ epochs: 3, parameters: { batches: 40, batch_seconds: 0.02 } }));
    expect(started.run).toMatch(/^counter-\d{8}-\d{6}-[0-9a-f]{4}$/);
    expect(started.outputFolder).toBe(join(host.settings.store, 'experiments/default', started.run));
    expect(started.config.parameters).toMatchObject({ batches: 40, validation_batches: 2 });
    const items: WatchItem[] = [];
    for await (const item of client.watch(started.run, { intervalMs: 50 })) items.push(item);
    const views = items.flatMap((item) => (item.kind === 'view' ? [item.view] : []));
    expect(new Set(views.map(({ state }) => state))).toContain('training');
    expect(views.map(({ position }) => position.epoch)).toEqual(
      [...views.map(({ position }) => position.epoch)].sort(),
    );
    const progress = items.flatMap((item) => (item.kind === 'progress' ? [item.progress] : []));
    expect(progress.some(({ phase, batch, batches }) => phase === 'train' && batch > 0 && batches === 40)).toBe(true);
    const events = items.flatMap((item) => (item.kind === 'event' ? [item.event.message] : []));
    expect(events).toContain(`trains on ${host.worker.host.id}`);
    expect(new Set(events).size).toBe(events.length);
    const last = items.at(-1);
    expect(last).toMatchObject({ kind: 'end', receipt: { outcome: 'completed', epochs: { trained: 3 } } });
    expect(items.filter(({ kind }) => kind === 'end')).toHaveLength(1);
    expect(await client.result(started.run)).toEqual(last?.kind === 'end' && last.receipt);
    const description = await host.client.workflow.getHandle(started.run).describe();
    expect(await description.staticSummary()).toBe('counter, 3 epochs, project default');
    expect(description.priority).toMatchObject({ priorityKey: 3 });
  });

  it('refuses a run id that is in use, or was', async () => {
    const run = `twice-${randomUUID().slice(0, 8)}`;
    await client.start(host.config({ run, epochs: 1 }));
    const inUse = await errorOf(RunInUseError, client.start(host.config({ run }), { draft: true }));
    expect(inUse.message).toBe(
      `run is "${run}": in use by another run; choose another id, or leave it out to get a new one`,
    );
    await client.result(run);
    await errorOf(RunInUseError, client.start(host.config({ run }), { draft: true }));
    const published = await errorOf(ConfigError, client.start(host.config({ run })));
    expect(published.message).toMatch(
      new RegExp(`^run is "${run}": must be new: .* holds files of a run with this id$`),
    );
  });

  const refused: [string, (folder: string) => Partial<RunConfigInput> & Record<string, unknown>, RegExp][] = [
    ['an unknown trainer', () => ({ trainer: 'nope' }), /^trainer is "nope": must be one of .*counter/],
    ['a parameter that the trainer refuses', () => ({ parameters: { batches: 0 } }), /^parameters\.batches is 0: /],
    ['a parameter that it does not know', () => ({ parameters: { batchez: 5 } }), /^parameters\.batchez is 5: /],
    ['a parameter of the wrong type', () => ({ parameters: { batches: 'many' } }), /^parameters\.batches is "many": /],
    [
      'a metric that it does not report',
      () => ({ checkpoints: { best: { metric: 'beauty', mode: 'max' } } }),
      /^checkpoints\.best\.metric is "beauty": must be a metric that counter reports: loss, score$/,
    ],
    ['a data set that it does not take', () => ({ data: '/nowhere' }), /^data is "\/nowhere": must be left out/],
    [
      'a store that is a file',
      (folder) => ({ store: join(folder, 'file') }),
      /^store is ".*file": must be a writable store: .*a file is where a folder is needed/,
    ],
    [
      'a store whose folder is missing',
      (folder) => ({ store: join(folder, 'no', 'store') }),
      /^store is ".*no\/store": must be a writable store: cannot make .*no\/store: .*no does not exist$/,
    ],
    [
      'paths outside of the folders that the worker allows',
      () => ({
        store: 'file:///no/store',
        continueFrom: { outputFolder: '/etc' },
        parameters: { stamps: '/etc/../no/stamps' },
      }),
      /^parameters\.stamps is "\/etc\/\.\.\/no\/stamps": must be inside .* \(EPOCHAL_ALLOWED_PATHS of the worker\)\nstore is "\/no\/store": must be inside .*\ncontinueFrom\.outputFolder is "\/etc": must be inside /,
    ],
    [
      'a new store together with a parameter that is wrong, and does not make it',
      (folder) => ({ store: join(folder, 'new'), parameters: { batches: 0 } }),
      /^parameters\.batches is 0: /,
    ],
    [
      'a store of an unknown kind',
      () => ({ store: 'ftp://x/y' }),
      /^store is "ftp:\/\/x\/y": must be a writable store: there is no store for "ftp:" addresses/,
    ],
    [
      'a relative store',
      () => ({ store: 'results' }),
      /^store is "results": must be a writable store: it is not an absolute path/,
    ],
    [
      'nothing to continue from',
      (folder) => ({ continueFrom: { outputFolder: join(folder, 'none') } }),
      /^continueFrom\.outputFolder is ".*none": must be an output folder of a run/,
    ],
  ];
  it.each(refused)('refuses %s, and starts nothing', async (_, change, told) => {
    const folder = host.settings.dataFolder;
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'file'), 'x');
    const run = `refused-${randomUUID().slice(0, 8)}`;
    const error = await errorOf(ConfigError, client.start({ ...host.config({ run }), ...change(folder) }));
    expect(error.message).toMatch(told);
    await errorOf(RunNotFoundError, client.view(run));
    expect(existsSync(join(folder, 'runs', run))).toBe(false);
    expect(existsSync(join(folder, 'new'))).toBe(false);
  });

  it('refuses a path once more where it would train', async () => {
    const refusal = async (change: Partial<RunConfigInput>) => {
      const config = runConfigSchema.parse({ ...host.config(), ...change });
      const owner = { place: 'elsewhere', chain: ['an-execution'] };
      const input = {
        run: 'elsewhere',
        ...owner,
        config,
        ledger: [],
        previous: null,
        elsewhere: false,
        notAfter: null,
      };
      const known = { checkpoints: [], epoch: 0 };
      const options = { byPermit: false, signal: new AbortController().signal, onProgress: () => undefined };
      const opening = host.worker.host.sessions.open({ ...input, batchDivisor: 1, known }, options);
      return (await errorOf(SessionProblem, opening)).failure;
    };
    // Another host may have the store of the run: it goes on there.
    expect(await refusal({ store: '/no/store', parameters: { stamps: '/no/stamps' } })).toMatchObject({
      kind: 'otherStore',
      message: expect.stringMatching(
        /^on .*, store is "\/no\/store": must be inside .*\(EPOCHAL_ALLOWED_PATHS of the worker\)$/,
      ),
    });
    expect(await refusal({ store: host.settings.store, parameters: { stamps: '/no/stamps' } })).toMatchObject({
      kind: 'setUp',
      message: expect.stringMatching(/^on .*, parameters\.stamps is "\/no\/stamps": must be inside /),
    });
    await host.worker.host.folders.remove('elsewhere');
  });

  it('says which pool nobody serves', async () => {
    const impatient = new TrainingClient(host.client, { workerSeconds: 1 });
    const error = await errorOf(NoWorkerError, impatient.start(host.config({ pool: 'nobody' })));
    expect(error.message).toBe(
      'no worker serves pool nobody: start one with "EPOCHAL_POOL=nobody epochal worker", or choose another pool',
    );
  });

  it('hears of a check that takes long what the worker is doing', async () => {
    const heard: string[] = [];
    const { trainers } = host.worker.host;
    const describeTrainer = trainers.describe.bind(trainers);
    vi.spyOn(trainers, 'describe').mockImplementationOnce(async (program, options) => {
      options?.onProgress?.('installing torch');
      await until('it is heard', async () => heard.includes('installing torch') || null);
      return describeTrainer(program, options);
    });
    await client.check(host.config(), { onProgress: (doing) => heard.push(doing) });
    expect(heard.filter((doing) => doing === 'installing torch')).toHaveLength(1);
  });

  it('checks without starting', async () => {
    const passed = await client.check(host.config({ run: 'only-checked' }));
    expect(passed).toMatchObject({ best: { metric: 'score', mode: 'max' }, canShrinkBatch: true });
    await errorOf(RunNotFoundError, client.view('only-checked'));
  });
});

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
          /^(run|host|pool|project|trainer) is ".*": (allowed are letters|must be a run id, or one of its lives)/,
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
      `no worker answered for run ${run} within 1 s: is one running? "epochal worker" starts one; "train" may still be done when one comes`,
    );
    await errorOf(NoWorkerError, quick.view(run));
    const controller = new AbortController();
    const items: WatchItem[] = [];
    const watched = (async () => {
      for await (const item of quick.watch(run, { signal: controller.signal, intervalMs: 50 })) items.push(item);
    })();
    await until('the trouble is told', () =>
      items.some((item) => item.kind === 'trouble' && item.message.startsWith(`no worker answered for run ${run}`)),
    );
    const { startWorker } = await import('../../worker/main.ts');
    away.worker = await startWorker({
      settings: away.settings,
      log: (await import('../support/test-host.ts')).testLog(),
      temporal: { address: away.connection.options.address },
    });
    await until('it recovers', () => items.some(({ kind }) => kind === 'recovered'));
    expect(items.find(({ kind }) => kind === 'view')).toBeDefined();
    controller.abort();
    await watched;
    expect(items.filter(({ kind }) => kind === 'trouble')).toHaveLength(1);
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

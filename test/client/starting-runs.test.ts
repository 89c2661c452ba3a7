/** What the client checks before a run starts, with a real server, a real worker and real trainers. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ConfigError, NoWorkerError, RunInUseError, RunNotFoundError } from '../../client/errors.ts';
import { TrainingClient } from '../../client/training-client.ts';
import type { WatchItem } from '../../client/watch.ts';
import { type RunConfigInput, runConfigSchema } from '../../contracts/run-config.ts';
import { SessionProblem } from '../../worker/session-start.ts';
import { Hold } from '../faults/hold.ts';
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

type Thrown<E> = abstract new (...args: never[]) => E;
async function errorOf<E extends Error>(type: Thrown<E>, work: Promise<unknown>): Promise<E> {
  const error = await work.then(
    (answer) => expect.fail(`nothing was thrown, but ${JSON.stringify(answer)} answered`),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(type);
  return error as E;
}

describe('starting', () => {
  it('checks on a worker, starts, and is watched to its receipt', async () => {
    const hold = await Hold.at(host.settings.dataFolder, ['2:20']);
    const parameters = { batches: 40, batch_seconds: 0.02, ...hold.parameters };
    const started = await client.start(host.config({ epochs: 3, parameters }));
    expect(started.run).toMatch(/^counter-\d{8}-\d{6}-[0-9a-f]{4}$/);
    expect(started.outputFolder).toBe(join(host.settings.store, 'experiments/default', started.run));
    expect(started.config.parameters).toMatchObject({ batches: 40, validation_batches: 2 });
    const items: WatchItem[] = [];
    let isSeen = false;
    for await (const item of client.watch(started.run, { intervalMs: 50 })) {
      items.push(item);
      // It does not end before somebody has seen it train.
      if (isSeen || item.kind !== 'progress' || item.progress.phase !== 'train' || item.progress.batch === 0) continue;
      isSeen = true;
      await hold.release();
    }
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
    // Another host may have the store of the run: it continues there.
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

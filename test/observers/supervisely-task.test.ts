/** A worker that is a task of a Supervisely server shows there what became of its runs. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import type { ObservedEvent } from '../../contracts/observed-events.ts';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { SuperviselyExperiment } from '../../observers/supervisely-experiment.ts';
import { SuperviselyTask, superviselyTask } from '../../observers/supervisely-task.ts';
import { openStore } from '../../stores/open-store.ts';
import { Observers } from '../../worker/observers.ts';
import { landRun } from '../stores/landed-run.ts';
import { TeamFilesStandIn } from '../stores/servers/team-files-stand-in.ts';
import { observedRun } from '../support/observed-run.ts';

const token = 'not-a-token-of-anybody';
const task = 77;
let server: TeamFilesStandIn;
beforeEach(async () => {
  server = new TeamFilesStandIn(token);
  server.data.outputs.set(task, {});
  vi.stubEnv('SERVER_ADDRESS', await server.listen());
  vi.stubEnv('API_TOKEN', token);
  vi.stubEnv('TEAM_ID', '7');
  vi.stubEnv('TASK_ID', `${task}`);
  vi.stubEnv('SLY_APP_DATA_DIR', '/sly-app-data');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await server.close();
});

type Outcome = 'completed' | 'failed';
const ended = (outcome: Outcome, seq = 5, store = '/store'): ObservedEvent => ({
  ...{ kind: 'ended', id: `execution/${seq}`, run: 'my-run', life: 'execution', seq, at: '2026-01-01T00:00:00.000Z' },
  position: { epoch: 3, batch: 0 },
  data: {
    outcome,
    cause:
      outcome === 'failed'
        ? { kind: 'failure', failure: { kind: 'outOfMemory', message: 'CUDA out of memory' } }
        : { kind: 'finished' },
    ...{ place: 'my-run', outputFolder: `${store}/experiments/p/my-run`, metrics: {} },
  },
});

async function told(...events: ObservedEvent[]) {
  const observer = new SuperviselyTask(superviselyTask(process.env) ?? 0, false, (line) => logged.push(line));
  const [seqs, refused, logged]: [number[], string[], string[]] = [[], [], []];
  const run = observedRun('my-run', { trainer: 'digits', epochs: 10 });
  await observer.tell(events, run, {
    signal: new AbortController().signal,
    onTold: (seq) => seqs.push(seq),
    onRefused: (_, why) => refused.push(why),
  });
  const lines = logged.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { seqs, refused, shown: server.data.outputs.get(task)?.general, lines };
}

it('brings the weights of an experiment through the data folder, and leaves nothing there', async () => {
  const store = openStore(`teamfiles:/${randomUUID()}/store`);
  await store.prepare(false);
  const config = runConfigSchema.parse({ run: 'my-run', project: 'p', trainer: 'digits', epochs: 1 });
  const files = { 'config.yaml': stringify(config) };
  await landRun(store, 'p/my-run', { files, checkpoints: { 1: randomBytes(1000) } });
  const moving = join(await mkdtemp(join(tmpdir(), 'epochal-moving-')), 'not-there-yet');
  const fetch = vi.spyOn(store, 'fetch');
  const run = observedRun('my-run', { moving, output: async () => ({ store, folder: 'experiments/p/my-run' }) });
  const refused: string[] = [];
  await new SuperviselyExperiment().tell([ended('completed', 5, store.address)], run, {
    signal: new AbortController().signal,
    onTold: () => {},
    onRefused: (_, why) => refused.push(why),
  });
  expect(refused).toEqual([]);
  expect(fetch.mock.calls.map(([, target]) => dirname(dirname(target)))).toEqual([moving]);
  expect(await readdir(moving)).toEqual([]);
});

it('shows the folder of a run in Team Files, as the SDK does', async () => {
  const address = `teamfiles:/${randomUUID()}/store`;
  const store = openStore(address);
  await store.prepare(false);
  await store.write('experiments/p/my-run/receipt.json', '{}');
  const folder = `${address.slice('teamfiles:'.length)}/experiments/p/my-run/`;
  expect(await told(ended('completed', 5, address))).toMatchObject({
    seqs: [5],
    refused: [],
    shown: {
      icon: { className: 'zmdi zmdi-folder', color: '#33c94c', backgroundColor: '#d9f7e4' },
      title: folder,
      titleUrl: expect.stringMatching(/^\/files\/\d+$/),
      download: false,
      description: 'my-run is completed after 3 epochs',
    },
  });
});

it('shows where the results are that are elsewhere, and why a run has failed', async () => {
  expect((await told(ended('completed'))).shown).toMatchObject({
    title: 'my-run is completed after 3 epochs',
    description: '/store/experiments/p/my-run',
    isError: false,
  });
  expect((await told(ended('completed'), ended('failed', 9))).shown).toMatchObject({
    title: 'my-run has failed after 3 epochs',
    description: 'outOfMemory: CUDA out of memory',
    ...{ isError: true, showLogs: true },
  });
});

it('logs how far a run is as the apps of the server do, which shows it as the progress of the task', async () => {
  const common = { run: 'my-run', life: 'e', at: '2026-01-01T00:00:00.000Z', position: { epoch: 1, batch: 0 } };
  const state: ObservedEvent = {
    ...{ ...common, kind: 'state', id: 'e/1', seq: 1 },
    data: { state: 'training', detail: 'training.epoch' },
  };
  const epoch: ObservedEvent = {
    ...{ ...common, kind: 'epoch', id: 'e/2', seq: 2 },
    data: { epoch: 1, seconds: 1, metrics: { loss: 0.5 } },
  };
  vi.stubEnv('API_TOKEN', 'expired');
  await expect(told(state, epoch, ended('failed'))).rejects.toThrow('renew API_TOKEN of this worker');
  vi.stubEnv('API_TOKEN', token);
  const { seqs, lines } = await told(state, epoch, ended('failed'));
  expect(seqs).toEqual([1, 2, 5]);
  const line = { level: 'info', run: 'my-run', timestamp: common.at };
  expect(lines).toEqual([
    { ...line, message: 'my-run: training' },
    {
      ...{ ...line, message: 'progress', event_type: 'EventType.PROGRESS' },
      ...{ subtask: 'my-run: epochs', current: 1, total: 10 },
    },
    { ...line, message: 'metrics', event_type: 'EventType.METRICS', type: 'train', epoch: 1, metrics: { loss: 0.5 } },
    { ...line, level: 'error', message: 'my-run has failed after 3 epochs: outOfMemory: CUDA out of memory' },
  ]);
});

it('does not try for ever to tell a task that is not there; a server that is away, or a token, is tried again', async () => {
  server.data.outputs.clear();
  expect(await told(ended('completed'))).toMatchObject({
    seqs: [5],
    refused: [expect.stringContaining('404')],
  });
  vi.stubEnv('API_TOKEN', 'expired');
  await expect(told(ended('completed'))).rejects.toThrow('renew API_TOKEN of this worker');
  vi.stubEnv('SERVER_ADDRESS', 'http://127.0.0.1:1');
  await expect(told(ended('completed'))).rejects.toThrow('nobody answers at its endpoint');
});

it('is an observer of a worker that is a task, and of no other', () => {
  const ofStores = (stores: string[] | null, env: NodeJS.ProcessEnv) =>
    new Observers({ webhook: null, notify: null, trackers: [], stores, env }).of({}).map(({ name }) => name);
  const names = (env: NodeJS.ProcessEnv) => ofStores([], env);
  expect(names(process.env)).toEqual(['events-file', 'supervisely-task']);
  for (const change of [{ TASK_ID: '' }, { TASK_ID: 'build-7' }, { API_TOKEN: '' }, { SERVER_ADDRESS: '' }])
    expect(names({ ...process.env, ...change })).toEqual(['events-file']);
  // Many systems count their tasks in this variable.
  expect(names({ ...process.env, SLY_APP_DATA_DIR: '' })).toEqual(['events-file']);
  for (const change of [{ AGENT_TOKEN: 'x' }, { AGENT_ID: '3' }, { TASK_ID: 'x', SUPERVISELY_TASK_ID: '7' }])
    expect(names({ ...process.env, SLY_APP_DATA_DIR: '', ...change })).toEqual(['events-file', 'supervisely-task']);
  // Experiments are written by whoever may write in Team Files: the task, or an observer of their own.
  const noTask = { ...process.env, TASK_ID: '' };
  expect(ofStores(['/store', 'teamfiles:/x'], noTask)).toEqual(['events-file', 'supervisely-experiment']);
  expect(ofStores(['/store', 'teamfiles:/x'], process.env)).toEqual(['events-file', 'supervisely-task']);
  expect(ofStores(['/store', 's3://x'], noTask)).toEqual(['events-file']);
  expect(ofStores(null, noTask)).toEqual(['events-file', 'supervisely-experiment']);
  expect(ofStores(null, { ...noTask, API_TOKEN: '' })).toEqual(['events-file']);
});

/** MLflow's own server, which asks for a password, is told of runs: what it has afterwards is what they came to. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { z } from 'zod';
import type { ObservedEvent } from '../../../contracts/observed-events.ts';
import { runConfigSchema } from '../../../contracts/run-config.ts';
import type { ObservedRun } from '../../../observers/observer.ts';
import { StoreError } from '../../../stores/artifact-store.ts';
import { openStore } from '../../../stores/open-store.ts';
import { Trackers } from '../../../worker/trackers.ts';
import { FaultProxy } from '../../stores/servers/fault-proxy.ts';
import { observedRun } from '../../support/observed-run.ts';
import { life, row, storeWith, tell as tellTracker, toldBatches, toldHost } from '../../support/told-run.ts';
import { MlflowReader } from './mlflow-read.ts';
import { type MlflowServer, readyMlflow } from './mlflow-ready.ts';
import { password, user } from './mlflow-server.ts';

let folder: string;
let server: MlflowServer | null;
let proxy: FaultProxy | undefined;
/** One program for all: its client takes seconds to load. */
let trackers: Trackers;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-mlflow-'));
  server = await readyMlflow(inject('mlflow'));
  if (server) proxy = await FaultProxy.to(server.endpoint);
  // A busy machine takes many times what an idle one does.
  const own = { MLFLOW_TRACKING_URI: proxy?.endpoint, MLFLOW_HTTP_REQUEST_TIMEOUT: '240' };
  trackers = new Trackers({ defaults: [], env: { ...server?.environment, ...own } });
}, 600_000);
afterAll(async () => {
  trackers?.close();
  await proxy?.close();
  await rm(folder, { recursive: true, force: true });
});

const mlflow = { name: 'mlflow', experiment: null } as const;

const reader = () => new MlflowReader(server);
const has = (experiment: string) => reader().runsOf(experiment);
const ask = (path: string, body?: unknown) => reader().ask(path, body);

async function changePassword(before: string, after: string): Promise<void> {
  const answer = await fetch(`${server?.endpoint}/api/2.0/mlflow/users/update-password`, {
    method: 'PATCH',
    headers: { authorization: `Basic ${btoa(`${user}:${before}`)}`, 'content-type': 'application/json' },
    body: JSON.stringify({ username: user, password: after, current_password: before }),
  });
  expect(await answer.json()).toEqual({});
}

const shown = ({ epoch, at, metrics }: ReturnType<typeof row>) => ({
  ...{ epoch, at: Date.parse(at) },
  metrics: { val_loss: metrics.val_loss, mAP_50: metrics['mAP@50'] },
});

const tell = (events: readonly ObservedEvent[], run: ObservedRun) => tellTracker(trackers.get(mlflow), events, run);

it('has one run, whose history without what was rolled back is that of the run, however often it is told', async () => {
  if (!server) return;
  const project = `p-${randomUUID()}`;
  const config = runConfigSchema.parse({
    project,
    trainer: 't',
    epochs: 6,
    seed: 7,
    parameters: { lr: 0.1, model: 'small', 'a@b': 1, a_b: 2 },
  });
  const split = 'ab'.repeat(32);
  // Epochs 4 and 5 were trained twice; nobody told of the second and the third.
  const final = [row(1, 1), row(2, 2), row(3, 3), row(4, 14), row(5, 15), row(6, 16)];
  const output = await storeWith(folder, 'r', final, split);
  const run = observedRun('r', { project, config, output: () => Promise.resolve(output) });
  const events = life('r');
  const first = [events.state(), events.epoch(row(1, 1))];
  expect(await tell(first, run)).toBe(2);
  const live = await has(project);
  expect(live).toMatchObject([{ status: 'RUNNING', name: 'r', rows: [shown(row(1, 1))] }]);
  expect(live[0]?.params).toEqual({ epochs: '6', seed: '7', lr: '0.1', model: 'small', a_b: '1', a_b_2: '2' });

  const second = [events.gap(3), events.epoch(row(4, 4)), events.epoch(row(5, 5))];
  await tell(second, run);
  const third = [events.epoch(row(4, 14))];
  await tell(third, run);
  const rolledBack = [row(4, 4), row(5, 5)].map((one) => `${one.epoch}/${Date.parse(one.at)}`);
  expect(await has(project)).toMatchObject([
    { status: 'RUNNING', rolledBack, rows: [1, 2, 3, 14].map((at) => shown(row(Math.min(at, 4), at))) },
  ]);

  const last = [events.epoch(row(5, 15)), events.epoch(row(6, 16)), events.ended(6, 'completed')];
  await tell([...third, ...last], run);
  const whole = await has(project);
  expect(whole).toMatchObject([
    { status: 'FINISHED', rolledBack, rows: final.map(shown), digests: [split.slice(0, 36)] },
  ]);
  expect(whole[0]?.end).toBe(Date.parse(last[2]?.at ?? ''));
  expect(whole[0]?.tags.get('epochal.outcome')).toBe('completed');
  expect(whole[0]?.tags.get('epochal.data.splitSha256')).toBe(split);
  expect(whole[0]?.tags.get('mlflow.note.content')).toMatch(/the batch was halved[\s\S]*rolled back keep their points/);
  // Which batches count is known at the end.
  expect(live[0]?.measured).toEqual({ batch: [], system: [] });
  const { cores, ...host } = toldHost;
  expect(whole[0]?.measured).toEqual({
    batch: toldBatches.map((batch) => ({ key: 'loss_b', ...batch })),
    system: [{ key: 'cpu_cores', ...host, value: cores }],
  });
  expect(whole[0]?.tags.get('mlflow.note.content')).toContain('Image: `/store/r/artifacts/confusion.png`');
  expect(live[0]?.tags.get('mlflow.note.content')).toContain('rolled back keep their points');
  for (const again of [first, second, last]) await tell(again, run);
  expect(await has(project)).toEqual(whole);
});

it('is told of the outcome at once where the store is away, and of the rest when it is back', async () => {
  if (!server) return;
  const project = `p-${randomUUID()}`;
  const final = [row(1, 1), row(2, 12)];
  const output = await storeWith(folder, 'r', final);
  const away = () => Promise.reject(new StoreError('the store is away', true));
  const run = observedRun('r', { project, output: () => Promise.resolve(output) });
  const events = life('r');
  await tell([events.state()], run);
  const told = [events.epoch(row(1, 1)), events.epoch(row(2, 2)), events.epoch(row(3, 3)), events.ended(2, 'stopped')];
  await expect(tell(told, { ...run, output: away })).rejects.toThrow('the store is away');
  expect(await has(project)).toMatchObject([{ status: 'KILLED', rows: [{}, {}, {}] }]);
  await tell(told, run);
  expect(await has(project)).toMatchObject([
    { status: 'KILLED', rows: final.map(shown), rolledBack: [/^2/, /^3/].map((one) => expect.stringMatching(one)) },
  ]);
  // A reset: what is told at another place is of another life.
  const other = life('r', 'r@00000001');
  const next = { ...run, place: 'r@00000001', execution: 'second' };
  // Whose place it is, nobody has seen yet.
  await expect(tell([other.epoch(row(1, 21))], { ...next, output: away })).rejects.toThrow('the store is away');
  await tell([other.epoch(row(1, 21))], next);
  const both = (await has(project)).map(({ name, status }) => `${name} ${status}`).sort();
  expect(both).toEqual(['r KILLED', 'r@00000001 RUNNING']);
});

it('has one run where two workers made one each, and a repeat of what was cut off changes nothing', async () => {
  if (!server) return;
  const project = `p-${randomUUID()}`;
  const run = observedRun('r', { project, output: () => Promise.resolve({ store: openStore(folder), folder: 'r' }) });
  const events = life('r');
  const [first, second] = [[events.epoch(row(1, 1))], [events.epoch(row(2, 2))]];
  await tell(first, run);
  const [made] = await has(project);
  const named = await ask(`experiments/get-by-name?experiment_name=${project}`);
  const { experiment_id } = z.object({ experiment: z.object({ experiment_id: z.string() }) }).parse(named).experiment;
  const tags = [{ key: 'epochal.key', value: made?.tags.get('epochal.key') }];
  await ask('runs/create', { experiment_id, start_time: 1, run_name: 'r', tags });
  await tell(second, run);
  expect(await has(project)).toMatchObject([{ id: made?.id, rows: [row(1, 1), row(2, 2)].map(shown) }]);
  await ask('runs/set-tag', { run_id: made?.id, key: 'epochal.told', value: '1' });
  await tell(second, run);
  expect(await has(project)).toMatchObject([{ id: made?.id, rows: [row(1, 1), row(2, 2)].map(shown) }]);
  // What the trainer calls like something of ours is beside it.
  const metrics = { batch: 1, 'batch/loss': 2, 'epochal/x': 3 };
  await tell([events.epoch({ ...row(3, 3), metrics })], run);
  expect((await has(project))[0]?.rows[2]?.metrics).toEqual({ batch_: 1, batch_loss: 2, epochal_x: 3 });
});

it('is a sentence without the key where it refuses it, and an error to be tried again where it is away', async () => {
  if (!server) return;
  const { signal } = new AbortController();
  expect(await trackers.ask(mlflow, 'p', signal)).toEqual({ kind: 'takes' });
  const experiment = `p-${randomUUID()}`;
  const made = z
    .object({ experiment_id: z.string() })
    .parse(await reader().ask('experiments/create', { name: experiment }));
  await reader().ask('experiments/delete', made);
  expect(await trackers.ask({ ...mlflow, experiment }, 'p', signal)).toEqual({
    kind: 'refuses',
    why: `the experiment ${experiment} is deleted in MLflow: restore it, or name another one`,
  });
  const changed = 'another-one-of-nobody';
  await changePassword(password, changed);
  expect(await trackers.ask({ ...mlflow, experiment: randomUUID() }, 'p', signal)).toEqual({
    kind: 'refuses',
    why: "the MLflow server refuses the key that this pool's workers have for it",
  });
  await changePassword(changed, password);
  proxy?.break(() => true, { kind: 'loseAnswer' }, Number.POSITIVE_INFINITY);
  expect(await trackers.ask({ ...mlflow, experiment: randomUUID() }, 'p', signal)).toMatchObject({
    kind: 'unavailable',
    why: expect.stringContaining('MlflowException'),
  });
  const run = observedRun('r', { output: () => Promise.resolve({ store: openStore(folder), folder: 'r' }) });
  await expect(tell([life('r').state()], run)).rejects.toThrow(/MlflowException/);
});

/**
 * W&B's own client is told of runs, offline and with a server in W&B's place: what it has written and sent is what the runs came to. Offline runs are sent by W&B’s own
 * `wandb sync`.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { ObservedEvent } from '../../../contracts/observed-events.ts';
import type { ObservedRun } from '../../../observers/observer.ts';
import { programEnvironment } from '../../../worker/program-environment.ts';
import { ensureEnvironment, readRequirements } from '../../../worker/python-environments.ts';
import { runProgram } from '../../../worker/run-program.ts';
import { Trackers } from '../../../worker/trackers.ts';
import { observedRun } from '../../support/observed-run.ts';
import { life, row, storeWith, tell, toldBatches, toldHost } from '../../support/told-run.ts';
import { type WandbRun, WandbStandIn } from './wandb-stand-in.ts';

const key = 'a'.repeat(40);
const server = new WandbStandIn(key);
let [folder, address, python] = ['', '', ''];
let online: Trackers;
let offline: Trackers;
let account: Record<string, string>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-wandb-'));
  await mkdir(join(folder, 'runs'));
  address = await server.listen();
  const program = fileURLToPath(new URL('../../../observers/trackers/wandb_tracker.py', import.meta.url));
  ({ python } = await ensureEnvironment({ requirements: await readRequirements(program) }));
  // A busy machine takes many times what an idle one does.
  account = { WANDB_API_KEY: key, WANDB_BASE_URL: address, WANDB_HTTP_TIMEOUT: '240' };
  online = new Trackers({ defaults: [], env: account });
  offline = new Trackers({ defaults: [], env: { WANDB_MODE: 'offline', WANDB_DIR: join(folder, 'runs') } });
}, 600_000);
afterAll(async () => {
  online?.close();
  offline?.close();
  await server.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  server.broken = null;
  server.runs.clear();
});

const wandb = { name: 'wandb', experiment: null } as const;
const pointOf = (one: Record<string, unknown>) => `${one.epoch}/${one['epochal/at']}`;

/** Without what is marked: an epoch that was told twice is there once. */
function historyOf(run: WandbRun) {
  const rows = server.rowsOf(run);
  const marks = new Map<string, number>();
  for (const one of rows) {
    const mark = Number(one['epochal/rolled_back'] ?? 0);
    marks.set(pointOf(one), Math.max(mark, marks.get(pointOf(one)) ?? 0));
  }
  const told = rows.filter((one) => 'epochal/epoch_seconds' in one && (marks.get(pointOf(one)) ?? 0) % 2 === 0);
  return [...new Map(told.map((one) => [pointOf(one), one])).values()].sort(
    (a, b) => Number(a.epoch) - Number(b.epoch),
  );
}
/** Of batches, and of the host. */
const measuredOf = (run: WandbRun) =>
  server.rowsOf(run).filter((one) => 'epochal/batch' in one || 'epochal/host_seconds' in one);
const measured = [
  ...toldBatches.map(({ step, at, value }) => ({
    'epochal/batch': step,
    _timestamp: at / 1000,
    'batch/loss@b': value,
  })),
  { 'epochal/host_seconds': toldHost.step, _timestamp: toldHost.at / 1000, 'system/cpu_cores': toldHost.cores },
];
const shown = ({ epoch, at, metrics }: ReturnType<typeof row>) => ({ epoch, 'epochal/at': Date.parse(at), ...metrics });

/** A life that goes back once, and of which two epochs are not told: in three parts, each of them by itself. */
function lived(run: string) {
  const events = life(run);
  return {
    parts: [
      [events.state(), events.epoch(row(1, 1))],
      [events.gap(3), events.epoch(row(4, 4)), events.epoch(row(5, 5))],
      [events.epoch(row(4, 14)), events.epoch(row(5, 15)), events.ended(5, 'completed')],
    ] satisfies ObservedEvent[][],
    final: [row(1, 1), row(2, 2), row(3, 3), row(4, 14), row(5, 15)],
  };
}

/** What `wandb sync` finds in the folder, and sends. */
async function synced(project: string): Promise<WandbRun[]> {
  server.runs.clear();
  const env = { ...programEnvironment(), ...account, WANDB_DIR: folder, WANDB_ERROR_REPORTING: 'false' };
  const sync = await runProgram(python, ['-m', 'wandb', 'sync', join(folder, 'runs', 'wandb')], { env });
  expect(sync.code, sync.tail).toBe(0);
  return [...server.runs.values()].filter((run) => run.project === project);
}

const told = async (trackers: Trackers, run: ObservedRun, parts: readonly (readonly ObservedEvent[])[]) => {
  for (const part of parts) expect(await tell(trackers.get(wandb), part, run)).toBe(part.at(-1)?.seq);
};

it('offline: is one file, whoever resumes it, that `wandb sync` finds to be the run', async () => {
  const project = `p-${randomUUID()}`;
  const { parts, final } = lived('r');
  const output = await storeWith(folder, 'r', final, 'ab'.repeat(32));
  const run = observedRun('r', { project, output: () => Promise.resolve(output) });
  await told(offline, run, parts.slice(0, 2));
  expect((await synced(project)).map((one) => historyOf(one).length)).toEqual([5]);
  await told(offline, run, parts.slice(2));
  const files = await readdir(join(folder, 'runs', 'wandb'), { recursive: true });
  const [file, ...others] = files.filter((name) => name.endsWith('.wandb'));
  expect(others).toEqual([]);
  // What was sent before has less in it: it is sent once more.
  const [whole] = await synced(project);
  if (!whole || !file) throw new Error('nothing was sent');
  expect(historyOf(whole)).toMatchObject(final.map(shown));
  expect(measuredOf(whole)).toMatchObject(measured);
  expect(whole).toMatchObject({ displayName: 'r', exitCode: 0 });
  expect(JSON.parse(whole.summary)).toMatchObject({
    ...{ 'epochal/outcome': 'completed', 'epochal/last': 5, 'epochal/data_split_sha256': 'ab'.repeat(32) },
  });
  expect(JSON.parse(whole.config)).toMatchObject({ epochs: { value: '3' }, epochal: { value: { project } } });
  expect(whole.notes).toMatch(/the batch was halved[\s\S]*rolled back keep their rows/);
  const before = await readFile(join(folder, 'runs', 'wandb', file));
  await told(offline, run, parts);
  expect(before.equals(await readFile(join(folder, 'runs', 'wandb', file)))).toBe(true);
});

it('with a server: resumes the run of the same id, which is over with the run alone', async () => {
  const project = `p-${randomUUID()}`;
  const { parts, final } = lived('r');
  const output = await storeWith(folder, 'r', final);
  const run = observedRun('r', { project, output: () => Promise.resolve(output) });
  await told(online, run, parts.slice(0, 2));
  expect([...server.runs.values()]).toMatchObject([{ entity: 'me', project, state: 'running', exitCode: null }]);
  await told(online, run, parts.slice(2));
  const [whole, ...others] = server.runs.values();
  if (!whole) throw new Error('nothing was sent');
  expect(others).toEqual([]);
  expect(historyOf(whole)).toMatchObject(final.map(shown));
  expect(measuredOf(whole)).toMatchObject(measured);
  expect(whole).toMatchObject({ state: 'finished', exitCode: 0 });
  const steps = server.rowsOf(whole).map(({ _step }) => Number(_step));
  expect(steps).toEqual([...steps].sort((a, b) => a - b));
  const { begun } = whole;
  await told(online, run, parts);
  expect(whole.begun).toBe(begun);
});

it('is a sentence without the key where it is refused, and an error to be tried again where nobody answers', async () => {
  const { signal } = new AbortController();
  expect(await online.ask(wandb, 'p', signal)).toEqual({ kind: 'takes' });
  for (const [wrong, why] of [
    ['b'.repeat(40), "the W&B server refuses the key that this pool's workers have for it"],
    ['short-and-hidden', "WANDB_API_KEY of this pool's workers does not have the form of a key of W&B"],
  ] as const) {
    const other = new Trackers({ defaults: [], env: { ...account, WANDB_API_KEY: wrong } });
    expect(await other.ask(wandb, 'p', signal)).toEqual({ kind: 'refuses', why });
    other.close();
  }
  // Its client tries what may be better in a moment for as long as it is let.
  const impatient = new Trackers({ defaults: [], env: { ...account, WANDB_HTTP_TIMEOUT: '2' } });
  server.broken = 503;
  expect(await impatient.ask(wandb, randomUUID(), signal)).toMatchObject({ kind: 'unavailable' });
  const output = await storeWith(folder, 'r', []);
  const run = observedRun('r', { output: () => Promise.resolve(output) });
  await expect(tell(impatient.get(wandb), [life('r').state()], run)).rejects.toThrow();
  impatient.close();
});

/** What follows a run: `epochal continue`, `fork`, `extend`, `retry` and `reproduce`, and the configurations that they start with. */
import { execFileSync } from 'node:child_process';
import { appendFile, cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { extended, fromCheckpoint, fromScratch, retried, sameAgain } from '../../client/next-config.ts';
import type { Receipt } from '../../contracts/receipt.ts';
import type { RunView } from '../../contracts/run-messages.ts';
import { CommandLine, newRun } from '../support/command-line.ts';
import { until } from '../support/until.ts';

let line: CommandLine;
/** Of the trainer's author. */
let repository: string;
const git = (...args: string[]): string =>
  execFileSync('git', ['-C', repository, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { encoding: 'utf8' });

beforeAll(async () => {
  repository = await mkdtemp(join(tmpdir(), 'epochal-code-'));
  for (const part of ['counter.py', 'ways_to_fail'])
    await cp(fileURLToPath(new URL(`../trainers/${part}`, import.meta.url)), join(repository, part), {
      recursive: true,
    });
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('commit', '-q', '-m', 'A trainer');
  line = await CommandLine.start({ slots: 2, settings: { trainersFolders: [repository] } });
});
afterAll(async () => {
  await line?.stop();
  await rm(repository, { recursive: true, force: true });
});

vi.setConfig({ testTimeout: 600_000 });

interface Started {
  run: string;
  config: RunView['config'];
}

const ended = (run: string): Promise<Receipt> => line.host.client.workflow.getHandle(run).result();

it('a run is continued, forked and extended by its id, and each lands', async () => {
  const run = newRun('first');
  const output = join(line.host.settings.store, 'experiments', 'default', run);
  const parameters = { batches: 4 };
  expect(await line.here('train', await line.config({ epochs: 2, parameters }), '--run', run, '--wait')).toMatchObject({
    code: 0,
  });
  const [continued, forked, extension] = [newRun('continued'), newRun('forked'), newRun('extended')];
  const told = await line.here('continue', run, '--from', 'epoch-0002', '--as', continued, '--set', 'epochs=3');
  expect(told.stdout).toMatch(new RegExp(`^from +continues epoch-0002 in ${output}$`, 'm'));
  const asked = await line.here('fork', run, '--as', forked, '--set', 'parameters.batches=3', '--json');
  const fork: Started = JSON.parse(asked.stdout);
  expect(fork.config).toMatchObject({ epochs: 2, parameters: { batches: 3 } });
  expect(fork.config).not.toHaveProperty('continueFrom');
  const longer = await line.here('extend', run, '--epochs', '+2', '--as', extension, '--wait');
  expect(longer.stdout).toMatch(/^epochs +4 of 4, /m);
  expect(longer.code).toBe(0);
  expect(await ended(continued)).toMatchObject({
    outcome: 'completed',
    epochs: { trained: 3 },
  });
  expect(await ended(forked)).toMatchObject({ outcome: 'completed', epochs: { trained: 2 }, batches: { trained: 6 } });

  // In a configuration, the id is as good as the folder.
  const byId = await line.config({ epochs: 3, continueFrom: { run } });
  const checked = JSON.parse((await line.here('validate', byId, '--json')).stdout);
  expect(checked).toMatchObject({ ok: true, config: { continueFrom: { outputFolder: output } } });
  expect(checked.config.continueFrom).not.toHaveProperty('run');
  const unknown = await line.config({ continueFrom: { run: 'no-such-run' } });
  expect((await line.here('validate', unknown)).stderr).toMatch(
    /^epochal: continueFrom.run is "no-such-run": must be the id of a run that the Temporal server knows/m,
  );

  expect(await line.here('retry', run)).toMatchObject({
    code: 2,
    stderr: `epochal: run ${run} has completed: "epochal extend" trains more epochs, "epochal fork" trains it again\n`,
  });
  expect((await line.here('continue', run, '--from', 'epoch-0009')).stderr).toBe(
    'epochal: checkpoint is "epoch-0009": must be best, last or one that the run retains: epoch-0002\n',
  );
  expect((await line.here('extend', run, '--epochs', 'more')).stderr).toBe(
    'epochal: --epochs is "more": must be a number of epochs, e.g. 50, or +10 for ten more than were planned\n',
  );
});

it('a run that failed is retried from its last checkpoint, with what was set', async () => {
  const run = newRun('broken');
  const failing = { fail_at: '2:1', fail_times: 0, batches: 3 };
  const file = await line.config({ epochs: 3, parameters: failing, failures: { restarts: 0 } });
  expect(await line.here('train', file, '--run', run, '--wait')).toMatchObject({ code: 3 });
  const again = newRun('again');
  expect(await line.here('retry', run, '--as', again, '--set', 'parameters.fail_at=', '--wait')).toMatchObject({
    code: 0,
  });
  expect(await ended(again)).toMatchObject({ epochs: { trained: 3, planned: 3 } });
  expect((await line.view(again)).config.continueFrom).toMatchObject({ checkpoint: 'last', keepProgress: true });
});

it('a run is reproduced from its receipt, once it was said what differs', async () => {
  const run = newRun('original');
  const file = await line.config({ epochs: 1, seed: 5, parameters: { batches: 2 }, project: run });
  expect(await line.here('train', file, '--run', run, '--wait')).toMatchObject({ code: 0 });
  const differences = async () => JSON.parse((await line.here('reproduce', run, '--check', '--json')).stdout);
  expect(await differences()).toMatchObject({ exact: true, hosts: [{ ok: true, differences: [] }], hasDiff: false });

  await appendFile(join(repository, 'counter.py'), '# changed\n');
  // What git has answered is shared for some seconds.
  await until('git tells of the change', async () => (await differences()).hosts[0].differences.length === 3);
  const asked = await line.here('reproduce', run);
  expect(asked.stderr).toMatch(/uncommitted changes: none → [0-9a-f]{12}\n +program: [0-9a-f]{12} → [0-9a-f]{12}$/m);
  expect(asked).toMatchObject({ code: 2, stderr: expect.stringMatching(/nothing was started$/m) });
  const again = newRun('again');
  expect(await line.here('reproduce', run, '--yes', '--as', again, '--wait')).toMatchObject({ code: 0 });
  const [{ materials }, before] = [await ended(again), await ended(run)];
  expect((await line.view(again)).config).toEqual({ ...(await line.view(run)).config, run: again });
  expect(materials).toMatchObject({ packages: before.materials?.packages, code: { isDirty: true } });
  const diff = await readFile(join(line.host.settings.store, 'experiments', run, again, 'code.diff'), 'utf8');
  expect(diff).toContain(`differed by from commit ${before.materials?.code?.commit}`);
  expect(diff).toMatch(/^\+# changed$/m);

  // Both are listed a moment after their end.
  const goodput = async () => JSON.parse((await line.here('goodput', '--project', run, '--json')).stdout).rows[0];
  await until('both tell where their time went', async () => (await goodput())?.batches.trained === 4);
  expect(await goodput()).toMatchObject({ project: run, runs: 2, untold: 0, goodput: expect.any(Number) });
});

describe('the configuration', () => {
  const folder = '/store/experiments/default/a';
  const earlier = { outputFolder: '/store/experiments/default/z', checkpoint: 'last', keepProgress: true };
  const at = (epoch: number, reasons: string[]) => ({ name: `epoch-000${epoch}`, epoch, reasons, stored: true });
  const viewOf = (given: object) =>
    ({
      run: 'a',
      state: 'stopped',
      config: { run: 'a', trainer: 'counter', epochs: 4, continueFrom: earlier },
      outputFolder: folder,
      checkpoints: [at(3, ['best']), at(4, ['last'])],
      receipt: { outcome: 'failed', checkpoints: [] },
      ...given,
    }) as unknown as RunView;

  it('is the same again, or from scratch, without the run id', () => {
    expect(sameAgain(viewOf({}))).toEqual({ trainer: 'counter', epochs: 4, continueFrom: earlier });
    expect(fromScratch(viewOf({}))).toEqual({ trainer: 'counter', epochs: 4 });
  });

  it('has as many epochs again where none are left', () => {
    const last = { checkpoint: 'last', keepProgress: true };
    expect(fromCheckpoint(viewOf({}), last)).toMatchObject({ epochs: 8, continueFrom: { outputFolder: folder } });
    const best = { checkpoint: 'best', keepProgress: true };
    expect(fromCheckpoint(viewOf({}), best).epochs).toBe(4);
    // The store does not tell the best one yet.
    expect(fromCheckpoint(viewOf({ receipt: null }), best).continueFrom?.checkpoint).toBe('epoch-0003');
  });

  it('of a run that is not over is no retry and no extension', () => {
    expect(() => retried(viewOf({ state: 'training' }))).toThrow('run a is not over (training)');
    expect(() => extended(viewOf({ state: 'training' }), { more: 1 })).toThrow('"epochal stop a" ends it');
    expect(extended(viewOf({}), { more: 3 }).epochs).toBe(7);
    expect(extended(viewOf({}), { total: 50 }).epochs).toBe(50);
  });

  it('of a retry starts as the run did where nothing was stored', () => {
    expect(retried(viewOf({})).continueFrom).toMatchObject({ outputFolder: folder, checkpoint: 'last' });
    expect(retried(viewOf({ checkpoints: [] })).continueFrom).toEqual(earlier);
    expect(() => fromCheckpoint(viewOf({ outputFolder: null }), { checkpoint: 'last', keepProgress: true })).toThrow(
      'run a has no checkpoint yet',
    );
  });
});

/** A trainer is killed, crashes, runs out of memory, computes NaN: told apart, answered as configured. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Failure } from '../../contracts/failure.ts';
import type { Receipt } from '../../contracts/receipt.ts';
import type { RunConfigInput } from '../../contracts/run-config.ts';
import { RunFolders } from '../../worker/run-folders.ts';
import { until } from '../support/until.ts';
import { checkLanded } from './check-landed.ts';
import { FaultHosts, type FaultWorker } from './fault-host.ts';
import type { FaultRun } from './fault-run.ts';

let hosts: FaultHosts;
let worker: FaultWorker;
beforeAll(async () => {
  hosts = await FaultHosts.open(inject('temporalAddress'));
  worker = await hosts.worker({ slots: 4 });
});
afterAll(() => hosts?.close());

const atOnce = { restarts: 2, backoffSeconds: 0, maxBackoffSeconds: 0 };
/** A trainer tells of its batches ten times a second: of each of these, so that what is wasted is known exactly. */
const told = { batches: 12, batch_seconds: 0.11 };
const failureOf = ({ cause }: Receipt): Failure | null => (cause.kind === 'failure' ? cause.failure : null);

/** Starts a run that fails in batch 3 of epoch 2, `times` times (0: every time). */
const failing = (
  kind: string,
  options: { times?: number; at?: string; failures?: object; parameters?: RunConfigInput['parameters'] } = {},
): Promise<FaultRun> =>
  hosts.start({
    epochs: 3,
    parameters: {
      ...{ fail_at: options.at ?? '2:3', fail_kind: kind, fail_times: options.times ?? 1 },
      ...options.parameters,
    },
    failures: { ...atOnce, ...options.failures },
  });

/** Everything landed, and the run completed after one restart with this cause. */
async function expectRecovered(run: FaultRun, kind: string, wasted: number): Promise<Receipt> {
  const { receipt, violations } = await checkLanded(run);
  expect(violations).toEqual([]);
  expect(receipt).toMatchObject({ outcome: 'completed', cause: { kind: 'finished' } });
  expect(receipt.restarts).toMatchObject([{ reason: 'failure', failure: { kind }, epoch: 1 }]);
  // A trainer tells of its batches ten times a second: of one that dies the last ones are not known.
  expect(receipt.batches.wasted).toBeLessThanOrEqual(wasted);
  return receipt;
}

/** The training failed; what it had saved landed, and the run folder was kept. */
async function expectKept(run: FaultRun, kind: string): Promise<Receipt> {
  const { how, receipt, violations } = await checkLanded(run);
  expect(violations).toEqual([]);
  expect(how).toBe('failed');
  expect(receipt).toMatchObject({ outcome: 'failed', cause: { failure: { kind } }, localFolder: { kind: 'kept' } });
  return receipt;
}

/** What was trained before landed all the same, and the run folder was kept. */
async function expectFailed(run: FaultRun, kind: string, restarts: number): Promise<Receipt> {
  const receipt = await expectKept(run, kind);
  // The failure that ended the training is among the restarts, as the one that found no budget.
  expect(receipt.restarts).toHaveLength(restarts + 1);
  return receipt;
}

describe.concurrent('a trainer', () => {
  it('killed from outside (SIGKILL) goes on from its last checkpoint', async ({ expect }) => {
    const hold = await hosts.hold('2:10');
    const run = await hosts.start({ epochs: 3, parameters: { ...told, ...hold.parameters }, failures: atOnce });
    await hold.reached();
    await run.until('has the checkpoint of epoch 1', ({ position }) => position.epoch === 1);
    await run.reaches(2, 9);
    process.kill((await run.trainer(worker)).pid, 'SIGKILL');
    await hold.release();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 36, wasted: 9 } });
    expect(receipt.restarts).toMatchObject([{ failure: { kind: 'trainerKilled', exit: { signal: 'SIGKILL' } } }]);
  });

  it('killed from outside loses no more than the batches since it last saved', async ({ expect }) => {
    const hold = await hosts.hold('2:8');
    const run = await hosts.start({
      epochs: 2,
      parameters: { ...told, ...hold.parameters },
      failures: atOnce,
      checkpoints: { everyBatches: 5 },
    });
    await hold.reached();
    await run.reaches(2, 7);
    process.kill((await run.trainer(worker)).pid, 'SIGKILL');
    await hold.release();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 24, wasted: 2 } });
  });

  it('killed in the middle of an epoch loses what it trained since its last snapshot, and no more', async ({
    expect,
  }) => {
    const batches = 140;
    const hold = await hosts.hold('1:130');
    const stamps = join(hosts.folder, 'stamps-of-snapshots');
    const run = await hosts.start({
      epochs: 1,
      parameters: { batches, batch_seconds: 0.05, stamps, ...hold.parameters },
      failures: atOnce,
      checkpoints: { snapshots: 0.2 },
    });
    await hold.reached();
    const { snapshots } = new RunFolders(worker.dataFolder).of(run.place);
    const newest = await until('a snapshot is there', async () => {
      const names = await readdir(snapshots).catch(() => []);
      return Math.max(0, ...names.map((name) => Number(/^epoch-0000-batch-(\d+)$/.exec(name)?.[1] ?? 0))) || null;
    });
    process.kill((await run.trainer(worker)).pid, 'SIGKILL');
    await hold.release();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    const repeated = (await readFile(stamps, 'utf8')).split('\n').length - 1 - batches;
    // Another one may have become whole meanwhile.
    expect(repeated).toBeLessThanOrEqual(130 - newest);
    // Its last tenth of a second may not have been told.
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: batches } });
    expect(receipt.batches.wasted).toBeGreaterThanOrEqual(repeated - 2);
    expect(receipt.batches.wasted).toBeLessThanOrEqual(repeated);
    expect(receipt.restarts).toMatchObject([{ failure: { kind: 'trainerKilled' } }]);
  });

  it('killed after its last epoch is started again, and does all that follows it', async ({ expect }) => {
    const hold = await hosts.hold('finish');
    // Also where it was the last one by its own decision: another trainer knows of it.
    const parameters = { ...hold.parameters, early_end: '2:call' };
    const run = await hosts.start({ epochs: 4, parameters, failures: atOnce });
    await run.until('finishes', ({ detail }) => detail === 'training.finishing');
    await hold.reached();
    process.kill((await run.trainer(worker)).pid, 'SIGKILL');
    await hold.release();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt.cause).toEqual({ kind: 'finished', early: { reason: 'asked to end early' } });
    expect(receipt).toMatchObject({ outcome: 'completed', epochs: { trained: 2 }, batches: { wasted: 0 } });
    expect(receipt.restarts).toMatchObject([{ failure: { kind: 'trainerKilled' }, epoch: 2 }]);
  });

  it('that is stopped after its last epoch finishes; ended at once, it is told as stopped', async ({ expect }) => {
    for (const [mode, outcome] of [
      ['epoch', 'completed'],
      ['now', 'stopped'],
    ]) {
      const hold = await hosts.hold('finish');
      const parameters = mode === 'now' ? { finish_seconds: 3600 } : hold.parameters;
      const run = await hosts.start({ epochs: 1, parameters });
      await run.until('finishes', ({ detail }) => detail === 'training.finishing');
      await run.trainer(worker);
      await run.update('stop', { mode });
      const { receipt, violations } = await checkLanded(run);
      expect(violations).toEqual([]);
      expect(receipt).toMatchObject({ outcome, epochs: { trained: 1 } });
    }
  });

  it('told to go from outside (SIGTERM) saves at its batch boundary, and nothing is wasted', async ({ expect }) => {
    const hold = await hosts.hold('1:10');
    const run = await hosts.start({ epochs: 2, parameters: { ...told, ...hold.parameters }, failures: atOnce });
    await hold.reached();
    process.kill((await run.trainer(worker)).pid, 'SIGTERM');
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 24, wasted: 0 } });
    expect(receipt.restarts).toMatchObject([{ failure: { kind: 'trainerKilled' } }]);
  });

  it('that raises an exception is started again, and its traceback is told', async ({ expect }) => {
    const receipt = await expectRecovered(await failing('error'), 'trainerError', 2);
    expect(receipt.restarts[0]?.failure?.traceback).toContain('asked to fail');
  });

  it('that ends without a word is told by its exit code', async ({ expect }) => {
    const receipt = await expectRecovered(await failing('exit', { parameters: told }), 'trainerError', 2);
    expect(receipt.batches.wasted).toBe(2);
    expect(receipt.restarts[0]?.failure?.exit).toEqual({ code: 3, signal: null });
  });

  it('that kills itself is told by its signal', async ({ expect }) => {
    const receipt = await expectRecovered(await failing('kill', { parameters: told }), 'trainerKilled', 2);
    expect(receipt.batches.wasted).toBe(2);
  });

  it('out of memory goes on with a batch in two parts, which the receipt records', async ({ expect }) => {
    const receipt = await expectRecovered(await failing('oom'), 'outOfMemory', 2);
    expect(receipt.notes.join()).toMatch(/out of memory: from epoch 2 on each batch was computed in 2 parts/);
  });

  it('out of memory again goes on with a batch in four parts', async ({ expect }) => {
    const { receipt, violations } = await checkLanded(await failing('oom', { times: 2 }));
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed' });
    expect(receipt.restarts).toHaveLength(2);
    expect(receipt.notes.join()).toMatch(/computed in 2 parts[\s\S]*computed in 4 parts/);
  });

  it('out of memory fails when it is configured to', async () => {
    await expectFailed(await failing('oom', { failures: { onOutOfMemory: 'fail' } }), 'outOfMemory', 0);
  });

  it('with a NaN loss ends the training as failed, never as stopped', async ({ expect }) => {
    const receipt = await expectFailed(await failing('nan'), 'nan', 0);
    expect(receipt.epochs.trained).toBe(1);
  });

  it('with a loss that is not finite ends the same way', async () => {
    await expectFailed(await failing('infinite'), 'nan', 0);
  });

  it('with a NaN loss rolls back and goes on when it is configured to', async () => {
    await expectRecovered(await failing('nan', { failures: { onNan: 'rollBack' } }), 'nan', 2);
  });

  it('that finds its data set broken fails at once', async () => {
    await expectFailed(await failing('data'), 'data', 0);
  });

  it('that finds no GPU fails at once', async () => {
    await expectFailed(await failing('gpu'), 'gpuMissing', 0);
  });

  it('that breaks the protocol fails at once, with what it sent', async ({ expect }) => {
    const receipt = await expectFailed(await failing('protocol'), 'protocol', 0);
    expect(failureOf(receipt)?.message).toContain('this is not JSON');
  });

  it('that prints whatever it likes to stdout and stderr does no harm', async ({ expect }) => {
    const run = await failing('native_print', { times: 0 });
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', restarts: [] });
  });

  it('that leaves processes behind in sessions of their own has them ended, which the receipt says', async ({
    expect,
  }) => {
    const run = await hosts.start({ epochs: 1, parameters: { escaped: 2 } });
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed' });
    expect(receipt.notes.join()).toContain("ended 2 processes that had left the trainer's process group: sleep");
  });

  it('that cannot save loses that epoch and no checkpoint before it', async ({ expect }) => {
    const { receipt, violations } = await checkLanded(await failing('save'));
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 15, wasted: 5 } });
    expect(receipt.restarts).toMatchObject([{ failure: { kind: 'trainerError' }, epoch: 1 }]);
  });

  it('that always fails uses up its restarts, and what it had landed', async ({ expect }) => {
    const receipt = await expectFailed(await failing('error', { times: 0 }), 'trainerError', 2);
    expect(receipt.epochs.trained).toBe(1);
    expect(receipt.batches.wasted).toBeLessThanOrEqual(6);
  });

  it('that fails once in every epoch has its restarts budget renewed by progress', async ({ expect }) => {
    const hold = await hosts.hold('1:6', '2:6', '3:6');
    const parameters = { ...told, ...hold.parameters };
    const run = await hosts.start({ epochs: 3, parameters, failures: { ...atOnce, restarts: 1 } });
    for (const epoch of [1, 2, 3]) {
      await hold.reached(`${epoch}:6`);
      await run.until('has the checkpoint before', ({ position }) => position.epoch === epoch - 1);
      await run.reaches(epoch, 5);
      process.kill((await run.newTrainer(worker)).pid, 'SIGKILL');
      await hold.release(`${epoch}:6`);
    }
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 36, wasted: 3 * 5 } });
    expect(receipt.restarts).toHaveLength(3);
  });

  it('that fails whenever it sets up says so, and its log is kept', async ({ expect }) => {
    const receipt = await expectFailed(await failing('error', { at: 'set_up', times: 0 }), 'trainerError', 2);
    expect(receipt.files.map(({ path }) => path)).toContain('logs/trainer.log');
  });

  it('killed from outside while it stops: what the stop should keep was not saved, and that is told', async ({
    expect,
  }) => {
    const run = await hosts.start({
      epochs: 3,
      parameters: { ...told, ignore_stop: '2:6' },
      deadlines: { stopSeconds: 3600 },
    });
    await run.reaches(2, 5);
    await run.until('has the checkpoint of epoch 1', ({ position }) => position.epoch === 1);
    await run.update('stop', { mode: 'batch' });
    await run.hearsStop(worker);
    process.kill((await run.trainer(worker)).pid, 'SIGKILL');
    const receipt = await expectKept(run, 'trainerKilled');
    expect(receipt).toMatchObject({ restarts: [], epochs: { trained: 1 }, batches: { trained: 12, wasted: 5 } });
  });
});

/** A trainer is killed, crashes, runs out of memory, computes NaN, hangs: told apart, answered as configured. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Failure } from '../../contracts/failure.ts';
import type { Receipt } from '../../contracts/receipt.ts';
import { groupMembers } from '../../worker/process-groups.ts';
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
const slow = { batches: 40, batch_seconds: 0.05 };
const failureOf = ({ cause }: Receipt): Failure | null => (cause.kind === 'failure' ? cause.failure : null);

/** Starts a run that fails in batch 3 of epoch 2, `times` times (0: every time). */
const failing = (kind: string, options: { times?: number; at?: string; failures?: object } = {}): Promise<FaultRun> =>
  hosts.start({
    epochs: 3,
    parameters: { fail_at: options.at ?? '2:3', fail_kind: kind, fail_times: options.times ?? 1 },
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

/** What was trained before landed all the same, and the run folder was kept. */
async function expectFailed(run: FaultRun, kind: string, restarts: number): Promise<Receipt> {
  const { how, receipt, violations } = await checkLanded(run);
  expect(violations).toEqual([]);
  expect(how).toBe('failed');
  expect(receipt).toMatchObject({ outcome: 'failed', cause: { failure: { kind } }, localFolder: { kind: 'kept' } });
  // The failure that ended the training is among the restarts, as the one that found no budget.
  expect(receipt.restarts).toHaveLength(restarts + 1);
  return receipt;
}

describe.concurrent('a trainer', () => {
  it('killed from outside (SIGKILL) goes on from its last checkpoint', async ({ expect }) => {
    const run = await hosts.start({ epochs: 3, parameters: slow, failures: atOnce });
    await run.until('has the checkpoint of epoch 1', ({ position }) => position.epoch === 1);
    await run.reaches(2, 10);
    process.kill((await run.trainer(worker)).pid, 'SIGKILL');
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 120 } });
    expect(receipt.restarts).toMatchObject([{ failure: { kind: 'trainerKilled', exit: { signal: 'SIGKILL' } } }]);
    expect(receipt.batches.wasted).toBeGreaterThan(0);
    expect(receipt.batches.wasted).toBeLessThanOrEqual(40);
  });

  it('killed from outside loses no more than the batches since it last saved', async ({ expect }) => {
    const run = await hosts.start({ epochs: 2, parameters: slow, failures: atOnce, checkpoints: { everyBatches: 5 } });
    await run.reaches(2, 12);
    process.kill((await run.trainer(worker)).pid, 'SIGKILL');
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 80 } });
    // At most one checkpoint is written and not whole yet, and the next one waits for it.
    expect(receipt.batches.wasted).toBeLessThan(2 * 5);
  });

  it('killed after its last epoch is started again, and does all that follows it', async ({ expect }) => {
    const run = await hosts.start({ epochs: 2, parameters: { finish_seconds: 2 }, failures: atOnce });
    await run.until('finishes', ({ detail }) => detail === 'training.finishing');
    process.kill((await run.trainer(worker)).pid, 'SIGKILL');
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', epochs: { trained: 2 }, batches: { wasted: 0 } });
    expect(receipt.restarts).toMatchObject([{ failure: { kind: 'trainerKilled' }, epoch: 2 }]);
  });

  it('that is stopped after its last epoch finishes; ended at once, it is told as stopped', async ({ expect }) => {
    for (const [mode, outcome] of [
      ['epoch', 'completed'],
      ['now', 'stopped'],
    ]) {
      const run = await hosts.start({ epochs: 1, parameters: { finish_seconds: mode === 'now' ? 3600 : 2 } });
      await run.until('finishes', ({ detail }) => detail === 'training.finishing');
      await run.trainer(worker);
      await run.update('stop', { mode });
      const { receipt, violations } = await checkLanded(run);
      expect(violations).toEqual([]);
      expect(receipt).toMatchObject({ outcome, epochs: { trained: 1 } });
    }
  });

  it('killed from outside while it stops: what it had not saved is told as wasted', async ({ expect }) => {
    const run = await hosts.start({
      epochs: 1,
      parameters: { batches: 1_000_000, batch_seconds: 0.05, save_seconds: 3600 },
      deadlines: { stopSeconds: 3600, heartbeatSeconds: 600 },
    });
    await run.reaches(1, 10);
    const trainer = await run.trainer(worker);
    await run.update('stop', { mode: 'batch' });
    await until('it saves as it was asked to', async () => (await run.progress('stopTrainer'))?.phase === 'save');
    process.kill(trainer.pid, 'SIGKILL');
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'failed', cause: { failure: { kind: 'trainerKilled' } } });
    expect(receipt.batches.trained).toBe(0);
    expect(receipt.batches.wasted).toBeGreaterThanOrEqual(10);
  });

  it('told to go from outside (SIGTERM) saves at its batch boundary, and nothing is wasted', async ({ expect }) => {
    const run = await hosts.start({ epochs: 2, parameters: slow, failures: atOnce });
    await run.reaches(1, 10);
    process.kill((await run.trainer(worker)).pid, 'SIGTERM');
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 80, wasted: 0 } });
    expect(receipt.restarts).toMatchObject([{ failure: { kind: 'trainerKilled' } }]);
  });

  it('that raises an exception is started again, and its traceback is told', async ({ expect }) => {
    const receipt = await expectRecovered(await failing('error'), 'trainerError', 2);
    expect(receipt.restarts[0]?.failure?.traceback).toContain('asked to fail');
  });

  it('that ends without a word is told by its exit code', async ({ expect }) => {
    const receipt = await expectRecovered(await failing('exit'), 'trainerError', 2);
    expect(receipt.restarts[0]?.failure?.exit).toEqual({ code: 3, signal: null });
  });

  it('that kills itself is told by its signal', async () => {
    await expectRecovered(await failing('kill'), 'trainerKilled', 2);
  });

  it('out of memory goes on with a batch in two parts, which the receipt records', async ({ expect }) => {
    const receipt = await expectRecovered(await failing('oom'), 'outOfMemory', 2);
    expect(receipt.notes.join()).toMatch(/out of memory: from epoch 2 on each batch was computed in 2 parts/);
  });

  it('out of memory fails when it is configured to', async () => {
    await expectFailed(await failing('oom', { failures: { onOutOfMemory: 'fail' } }), 'outOfMemory', 0);
  });

  it('with a NaN loss ends the training as failed, never as stopped', async ({ expect }) => {
    const receipt = await expectFailed(await failing('nan'), 'nan', 0);
    expect(receipt.epochs.trained).toBe(1);
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

  it('that cannot save loses that epoch and no checkpoint before it', async ({ expect }) => {
    const { receipt, violations } = await checkLanded(await failing('save'));
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', restarts: [{ failure: { kind: 'trainerError' } }] });
  });

  it('that always fails uses up its restarts, and what it had landed', async ({ expect }) => {
    const receipt = await expectFailed(await failing('error', { times: 0 }), 'trainerError', 2);
    expect(receipt.epochs.trained).toBe(1);
    expect(receipt.batches.wasted).toBeLessThanOrEqual(6);
  });

  it('that fails once in every epoch has its restarts budget renewed by progress', async ({ expect }) => {
    const run = await hosts.start({ epochs: 3, parameters: slow, failures: { ...atOnce, restarts: 1 } });
    for (const epoch of [1, 2, 3]) {
      await run.until('has the checkpoint before', ({ position }) => position.epoch === epoch - 1);
      await run.reaches(epoch, 5);
      process.kill((await run.newTrainer(worker)).pid, 'SIGKILL');
    }
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 120 } });
    expect(receipt.restarts).toHaveLength(3);
  });

  it('that fails whenever it sets up says so, and its log is kept', async () => {
    await expectFailed(await failing('error', { at: 'set_up', times: 0 }), 'trainerError', 2);
  });
});

const shortPatience = {
  hangFloorSeconds: 4,
  hangCeilingSeconds: 8,
  setUpSeconds: 60,
  stopSeconds: 3,
  terminateSeconds: 2,
};

describe.concurrent('a trainer that hangs', () => {
  const hanging = (at: string, deadlines: object = shortPatience): Promise<FaultRun> =>
    hosts.start({
      epochs: 3,
      parameters: { batches: 10, validation_batches: 3, fail_at: at, fail_kind: 'hang' },
      failures: atOnce,
      deadlines,
    });
  const expectUnstuck = async (run: FaultRun) => {
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', restarts: [{ failure: { kind: 'hang' } }] });
    await expectStacks(run);
    return receipt;
  };

  /** Where it hung is in the log that landed. */
  const expectStacks = async (run: FaultRun) =>
    expect(await readFile(join(run.outputFolder, 'logs', 'trainer.log'), 'utf8')).toMatch(
      /most recent call first[\s\S]*counter\.py/,
    );

  it('in a training batch is noticed, ended, and started again', async ({ expect }) => {
    expect((await expectUnstuck(await hanging('2:7'))).batches.wasted).toBeLessThanOrEqual(6);
  });

  it('in validation is noticed, ended, and started again', async () => {
    await expectUnstuck(await hanging('2:v2'));
  });

  it('while it sets up is noticed, ended, and started again', async () => {
    await expectUnstuck(await hanging('set_up', { ...shortPatience, setUpSeconds: 5 }));
  });

  it('while it saves is noticed, ended, and started again', async ({ expect }) => {
    // The first save sleeps for an hour; the run that follows has other patience, so it has to be stopped.
    const run = await hosts.start({
      epochs: 3,
      parameters: { batches: 10, save_seconds: 3600 },
      failures: { ...atOnce, restarts: 0 },
      deadlines: shortPatience,
    });
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'failed', cause: { failure: { kind: 'hang' } }, epochs: { trained: 0 } });
  });

  it('after its last epoch is ended, and what it trained landed', async ({ expect }) => {
    const run = await hosts.start({
      epochs: 2,
      parameters: { finish_seconds: 3600 },
      deadlines: { ...shortPatience, finishSeconds: 3 },
    });
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'failed', cause: { failure: { kind: 'hang' } }, epochs: { trained: 2 } });
    await expectStacks(run);
  });

  it('and ignores every request is killed with all its children', async ({ expect }) => {
    const run = await hosts.start({
      epochs: 5,
      parameters: { ignore_stop: '2:3', ignore_sigterm: true, children: 3, batches: 100, batch_seconds: 0.01 },
      deadlines: { stopSeconds: 1, terminateSeconds: 1 },
    });
    await run.reaches(2, 1);
    const trainer = await run.trainer(worker);
    expect((await groupMembers(trainer.pid)).length).toBeGreaterThan(3);
    await run.update('stop', { mode: 'batch' });
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'stopped', processGroupGone: true, epochs: { trained: 1 } });
    expect(await groupMembers(trainer.pid)).toEqual([]);
  });

  it('is killed at once by a second and a third stop, whatever its deadlines', async ({ expect }) => {
    const run = await hosts.start({
      epochs: 5,
      parameters: { ignore_stop: '1:3', ignore_sigterm: true, children: 1, batches: 100 },
      deadlines: { stopSeconds: 3600, terminateSeconds: 3600 },
    });
    await run.reaches(1, 1);
    await run.trainer(worker);
    for (let stop = 0; stop < 3; stop++) await run.update('stop', { mode: 'batch' });
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'stopped', epochs: { trained: 0 } });
  });
});

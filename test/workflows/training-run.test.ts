/** A run, end to end: a real server, a real worker, a real trainer process, real files. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ApplicationFailure, CancelledFailure, WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Receipt } from '../../contracts/receipt.ts';
import { receiptSchema } from '../../contracts/receipt.ts';
import type { TrainEpochInput } from '../../contracts/run-activities.ts';
import { type RunView, runViewSchema } from '../../contracts/run-messages.ts';
import { groupMembers } from '../../worker/process-groups.ts';
import { Hold } from '../faults/hold.ts';
import { loseQuestion } from '../support/lost-question.ts';
import { TestHost } from '../support/test-host.ts';
import { until } from '../support/until.ts';

/** Whoever is stopped earlier, before the first batch, has nothing to land. */
const hasACheckpoint = ({ detail, position }: RunView): boolean => detail === 'training.epoch' && position.epoch > 0;

let host: TestHost;
beforeAll(async () => {
  host = await TestHost.start({ slots: 2 });
});
afterAll(() => host?.stop());

async function expectLanded(receipt: Receipt): Promise<void> {
  expect(receiptSchema.parse(receipt)).toEqual(receipt);
  expect(receipt.checkpoints.length).toBeGreaterThan(0);
  for (const file of [...receipt.checkpoints.flatMap(({ files }) => files), ...receipt.files]) {
    const bytes = await readFile(join(receipt.outputFolder as string, file.path));
    expect(bytes.length).toBe(file.size);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(file.sha256);
  }
  const stored = JSON.parse(await readFile(join(receipt.outputFolder as string, 'receipt.json'), 'utf8'));
  expect(stored).toEqual(receipt);
}

const epochsOf = async (receipt: Receipt) =>
  (await readFile(join(receipt.outputFolder as string, 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).epoch);

describe('a run', () => {
  it('trains all epochs, publishes, removes its folder and completes with a true receipt', async () => {
    const run = await host.start(host.config({ epochs: 3 }));
    const receipt = await run.result();
    expect(receipt).toMatchObject({
      outcome: 'completed',
      cause: { kind: 'finished' },
      epochs: { trained: 3, planned: 3 },
      processGroupGone: true,
    });
    expect(receipt.localFolder).toEqual({ kind: 'removed' });
    await expectLanded(receipt);
    expect(receipt.time).toMatchObject({ training: expect.any(Number), validation: expect.any(Number), restarts: 0 });
    const { training = 0, stopping = 0, uploading = 0 } = receipt.stateSeconds;
    const spent = Object.values(receipt.time ?? {}).reduce<number>((sum, seconds) => sum + Number(seconds), 0);
    expect(spent).toBeCloseTo(training + stopping + uploading, 1);
    expect(await epochsOf(receipt)).toEqual([1, 2, 3]);
    expect(existsSync(join(host.settings.dataFolder, 'runs', run.id))).toBe(false);
    expect(host.worker.host.slots.taken).toEqual([]);
    const view = runViewSchema.parse(await run.view());
    expect(view).toMatchObject({ state: 'stopped', detail: 'stopped', position: { epoch: 3, batch: 0 } });
  });

  it('completes where the trainer ends early, publishes however many files, and its receipt stays small', async () => {
    const parameters = { artifacts: 400, early_end: '3:break', score_peak: 2 };
    const run = await host.start(host.config({ epochs: 9, parameters, failures: { restarts: 0 } }));
    const receipt = await run.result();
    expect(receipt).toMatchObject({
      outcome: 'completed',
      cause: { kind: 'finished', early: { reason: 'no epoch followed epoch 3' } },
      epochs: { trained: 3, planned: 9 },
      best: { metric: 'score', value: 2, epoch: 2 },
      restarts: [],
      localFolder: { kind: 'removed' },
    });
    await expectLanded(receipt);
    expect(JSON.stringify(receipt).length).toBeLessThan(100_000);
    expect(receipt.files.map(({ path }) => path)).toEqual(expect.arrayContaining(['metrics.jsonl', 'files.jsonl']));
    const named = (await readFile(join(receipt.outputFolder as string, 'files.jsonl'), 'utf8')).trim().split('\n');
    expect(named.length).toBeGreaterThan(400);
    for (const line of named) {
      const { path, size } = JSON.parse(line);
      expect((await stat(join(receipt.outputFolder as string, path))).size).toBe(size);
    }

    // Continued, it trains on, from a checkpoint of its own by then, and what was best before stays the best.
    const continueFrom = { outputFolder: receipt.outputFolder as string };
    const again = { early_end: '3:break', score_peak: 2, fail_at: '4:2', fail_kind: 'kill' };
    const more = host.config({ epochs: 5, parameters: again, continueFrom, failures: { backoffSeconds: 0 } });
    const continued = await host.start(more);
    const extended = await continued.result();
    const best = { metric: 'score', value: 2, epoch: 2, from: run.id };
    expect(extended).toMatchObject({
      outcome: 'completed',
      cause: { kind: 'finished' },
      best,
      restarts: [{ epoch: 3 }],
    });
    expect(extended.checkpoints.find(({ reasons }) => reasons.includes('best'))).toMatchObject({
      epoch: 2,
      from: run.id,
    });
    expect((await continued.view()).best).toEqual(best);
    expect(await epochsOf(extended)).toEqual([4, 5]);
    await expectLanded(extended);
  });

  it('stores what is saved within an epoch while that trains, and removes here what is older', async () => {
    const hold = await Hold.at(host.settings.dataFolder, ['1:40']);
    const parameters = { batches: 40, ...hold.parameters };
    const run = await host.start(host.config({ epochs: 1, parameters, checkpoints: { everyBatches: 1 } }));
    await hold.reached();
    const newest = 'epoch-0000-batch-000039';
    await run.until('knows the newest', ({ position }) => position.epoch === 0 && position.batch === 39);
    const here = join(host.settings.dataFolder, 'runs', run.id, 'checkpoints');
    const { outputFolder } = await run.view();
    await until('the newest is stored, and nothing else is left', async () => {
      const stored = await readdir(join(outputFolder ?? '', 'checkpoints')).catch(() => []);
      return [stored, await readdir(here)].every(([first, ...more]) => first === newest && more.length === 0);
    });
    await hold.release();
    const receipt = await run.result();
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 40, wasted: 0 } });
    expect(receipt.localFolder).toEqual({ kind: 'removed' });
    await expectLanded(receipt);
  });

  it('stops at the batch boundary on an update, and completes with what it has', async () => {
    const run = await host.start(host.config({ epochs: 50, parameters: { batches: 20, batch_seconds: 0.02 } }));
    await run.until('has a checkpoint', hasACheckpoint);
    const view = await run.update('stop', { mode: 'batch' });
    expect(view.state).toBe('stopping');
    const receipt = await run.result();
    expect(receipt).toMatchObject({
      outcome: 'stopped',
      cause: { kind: 'stop', by: 'update', mode: 'batch' },
      processGroupGone: true,
    });
    expect(receipt.batches.afterStop).toBeLessThanOrEqual(1);
    expect(receipt.epochs.trained).toBeLessThan(50);
    await expectLanded(receipt);
  });

  it('publishes and cleans up on a cancel, and closes as Cancelled', async () => {
    const run = await host.start(host.config({ epochs: 50, parameters: { batches: 20, batch_seconds: 0.02 } }));
    await run.until('has a checkpoint', hasACheckpoint);
    await run.handle.cancel();
    const error = await run.result().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WorkflowFailedError);
    expect((error as WorkflowFailedError).cause).toBeInstanceOf(CancelledFailure);
    const { receipt } = await run.view();
    expect(receipt).toMatchObject({ outcome: 'stopped', cause: { kind: 'stop', by: 'cancel' } });
    await expectLanded(receipt as Receipt);
    expect((await run.handle.describe()).status.name).toBe('CANCELLED');
  });

  it('fails as failed, with the traceback and what was salvaged, and keeps the run folder', async () => {
    const run = await host.start(
      host.config({
        epochs: 5,
        parameters: { fail_at: '3:2', fail_kind: 'error', fail_times: 0 },
        failures: { restarts: 1, backoffSeconds: 0 },
      }),
    );
    const error = (await run.result().catch((thrown: unknown) => thrown)) as WorkflowFailedError;
    const failure = error.cause as ApplicationFailure;
    expect(failure.type).toBe('TrainingFailed');
    const receipt = receiptSchema.parse(failure.details?.[0]);
    expect(receipt).toMatchObject({ outcome: 'failed', epochs: { trained: 2 }, localFolder: { kind: 'kept' } });
    expect(receipt.cause.kind === 'failure' && receipt.cause.failure.traceback).toContain('Traceback');
    expect(receipt.restarts).toHaveLength(2);
    await expectLanded(receipt);
    expect(existsSync(join(host.settings.dataFolder, 'runs', run.id))).toBe(true);
  });

  it('pauses: the trainer is gone and its slot free; resume goes on where it was', async () => {
    const run = await host.start(host.config({ epochs: 4, parameters: { batches: 60, batch_seconds: 0.02 } }));
    await run.until('trains', ({ detail }) => detail === 'training.epoch');
    await run.update('pause');
    const paused = await run.until('pauses', ({ detail }) => detail === 'training.paused');
    expect(host.worker.host.slots.taken).not.toContain(run.id);
    expect(paused.session).toBeNull();
    await run.update('resume');
    const receipt = await run.result();
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 240, wasted: 0 } });
    expect(await epochsOf(receipt)).toEqual([1, 2, 3, 4]);
  });

  it('asks again what was lost on its way to its worker, long before the heartbeat timeout', async () => {
    const parameters = { batches: 1, batch_seconds: 0.1, validation_batches: 0 };
    const run = await host.start(host.config({ epochs: 1000, parameters, deadlines: { heartbeatSeconds: 3600 } }));
    const { epoch } = (await loseQuestion(host, 'trainEpoch')) as TrainEpochInput;
    await run.until('trained on', ({ position }) => position.epoch > epoch);
    await run.update('stop', { mode: 'batch' });
    expect(await run.result()).toMatchObject({ outcome: 'stopped', batches: { wasted: 0 }, restarts: [] });
  });

  it('is cancelled while it sets up after a resume: what it had lands', async () => {
    const parameters = { batches: 20, batch_seconds: 0.02, set_up_seconds: 2 };
    const run = await host.start(host.config({ epochs: 50, parameters }));
    await run.until('has a checkpoint', hasACheckpoint);
    await run.update('pause');
    await run.until('pauses', ({ detail }) => detail === 'training.paused');
    await run.update('resume');
    await run.handle.cancel();
    await expect(run.result()).rejects.toMatchObject({ cause: expect.any(CancelledFailure) });
    const { receipt } = await run.view();
    expect(receipt).toMatchObject({ outcome: 'stopped', cause: { by: 'cancel' } });
    await expectLanded(receipt as Receipt);
  });

  it('waits as a draft for its configuration, refuses a bad one by name, and trains when it is whole', async () => {
    const run = await host.start({ trainer: 'counter', pool: host.settings.pool } as never, { draft: true });
    await run.until('is a draft', ({ detail }) => detail === 'configuring.draft');
    await expect(run.update('configure', { epochs: 0 })).rejects.toThrow();
    await expect(run.update('train')).rejects.toThrow();
    await run.update('configure', { epochs: 2 });
    await run.update('train');
    expect(await run.result()).toMatchObject({ outcome: 'completed', epochs: { trained: 2 } });
  });

  it('refuses a bad configuration before anything starts, naming field and value', async () => {
    const run = await host.start(host.config({ epochs: 2, parameters: { batches: -1 } }));
    const error = (await run.result().catch((thrown: unknown) => thrown)) as WorkflowFailedError;
    expect((error.cause as ApplicationFailure).type).toBe('Invalid');
    expect(error.cause?.message).toMatch(/parameters\.batches is -1: /);
    expect(existsSync(join(host.settings.dataFolder, 'runs', run.id))).toBe(false);
  });

  it('ends a trainer that ignores every request, with all its children', async () => {
    const run = await host.start(
      host.config({
        epochs: 5,
        parameters: { ignore_stop: '1:3', ignore_sigterm: true, children: 2, batches: 1000, batch_seconds: 0.05 },
        deadlines: { stopSeconds: 0.5, terminateSeconds: 0.5 },
      }),
    );
    await run.until('trains', ({ detail }) => detail === 'training.epoch');
    const { pid } = JSON.parse(await readFile(join(host.settings.dataFolder, 'runs', run.id, 'process.json'), 'utf8'));
    expect((await groupMembers(pid)).length).toBeGreaterThan(1);
    await run.update('stop', { mode: 'batch' });
    const receipt = await run.result();
    expect(receipt).toMatchObject({ outcome: 'stopped', processGroupGone: true });
    expect(await groupMembers(pid)).toEqual([]);
  });
});

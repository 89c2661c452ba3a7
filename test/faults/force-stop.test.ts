/** A run is terminated or deleted from outside, with its host there or gone: what it had is salvaged. */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { Receipt } from '../../contracts/receipt.ts';
import { salvageId } from '../../contracts/salvage-messages.ts';
import { until } from '../support/until.ts';
import { checkLanded } from './check-landed.ts';
import { FaultHosts, type FaultWorker } from './fault-host.ts';
import type { FaultRun } from './fault-run.ts';

let hosts: FaultHosts;
beforeEach(async () => {
  hosts = await FaultHosts.open(inject('temporalAddress'));
});
afterEach(() => hosts?.close());

/** A trainer whose worker is not to come back ends soon. */
const soonAlone = { reattachSeconds: 1 };
const slow = { batches: 40, batch_seconds: 0.05 };

async function expectSalvaged(run: FaultRun): Promise<Receipt> {
  const { receipt, violations } = await checkLanded(run, 480, { how: 'terminated', receipt: null });
  expect(violations).toEqual([]);
  expect(receipt).toMatchObject({
    outcome: 'salvaged',
    cause: { failure: { kind: 'forceStopped' } },
  });
  expect(receipt.epochs.trained).toBeGreaterThanOrEqual(1);
  expect(receipt.checkpoints.length).toBeGreaterThan(0);
  return receipt;
}

/** A trainer that is held in batch 6 of epoch 2, and saves there when it is told to end. */
async function held(worker: FaultWorker, epochs = 5, deadlines = {}): Promise<FaultRun> {
  const hold = await hosts.hold('2:6');
  const run = await hosts.start({ epochs, parameters: { ...slow, ...hold.parameters }, deadlines });
  await hold.reached();
  await run.until('has an epoch in the store', ({ checkpoints }) => checkpoints.some(({ stored }) => stored));
  await run.trainer(worker);
  return run;
}

/** Everything that the trainer did, up to its end at the batch boundary. */
const allOfIt = { epochs: { trained: 1 }, batches: { trained: 46, wasted: 0 } };

/** What the Schedule does every few minutes, now: until it has found the run. */
async function reconcileFinds(run: FaultRun): Promise<void> {
  const schedule = hosts.client.schedule.getHandle(`epochal-reconcile-${hosts.workflowQueue}`);
  await until(`reconcile finds ${run.id}`, async () => {
    await schedule.trigger();
    await delay(1000);
    return hosts.client.workflow
      .getHandle(salvageId(run.id))
      .describe()
      .catch(() => null);
  });
}

describe('a run', () => {
  it('terminated from outside: its trainer saves and ends, and what it had lands', async () => {
    const worker = await hosts.worker();
    const run = await held(worker);
    await run.handle.terminate('by a test');
    expect(await expectSalvaged(run)).toMatchObject(allOfIt);
  });

  it('deleted from outside: the same', async () => {
    const worker = await hosts.worker();
    const run = await held(worker);
    await hosts.client.workflowService.deleteWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId: run.id },
    });
    expect(await expectSalvaged(run)).toMatchObject(allOfIt);
  });

  it('terminated while its worker was dead: the worker lands it when it is back', async () => {
    const worker = await hosts.worker();
    const run = await held(worker);
    await worker.kill();
    await run.handle.terminate('by a test');
    await worker.start();
    expect(await expectSalvaged(run)).toMatchObject(allOfIt);
  });

  it('terminated with its host gone: reconcile finds it and lands what is in the store; the rest lands when the host is back', async () => {
    const worker = await hosts.worker();
    const run = await held(worker, 50, soonAlone);
    const trainer = await run.trainer(worker);
    await worker.kill();
    // It saves for nobody: its disk is as far away as its worker.
    await run.ends(trainer);
    await run.handle.terminate('by a test');
    await hosts.worker({ env: { EPOCHAL_HOST_RETURN_SECONDS: '3' } });
    await reconcileFinds(run);
    const first = await expectSalvaged(run);
    expect(first).toMatchObject({ epochs: { trained: 1 }, batches: { trained: 40 }, processGroupGone: null });
    expect(first).toMatchObject({ localFolder: { kind: 'unknown', host: worker.host } });
    await worker.start();
    await until('the host has landed what it had', () => !existsSync(worker.runFolder(run.id)));
    expect(await expectSalvaged(run)).toMatchObject(allOfIt);
  });

  it('terminated before anything was stored, with its host gone: the receipt says lost', async () => {
    const worker = await hosts.worker();
    const run = await hosts.start({
      epochs: 2,
      parameters: { batches: 10_000, batch_seconds: 0.05 },
      deadlines: soonAlone,
    });
    await run.reaches(1, 3);
    const trainer = await run.trainer(worker);
    await worker.kill();
    await run.ends(trainer);
    await run.handle.terminate('by a test');
    await hosts.worker({ env: { EPOCHAL_HOST_RETURN_SECONDS: '3' } });
    await reconcileFinds(run);
    const { receipt, violations } = await checkLanded(run, 480, { how: 'terminated', receipt: null });
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({
      outcome: 'lost',
      cause: { failure: { kind: 'forceStopped' } },
      checkpoints: [],
      epochs: { trained: 0 },
      localFolder: { kind: 'unknown', host: worker.host },
    });
  });
});

/** A run is terminated or deleted from outside, with its host there or gone: what it had is salvaged. */
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { checkLanded } from './check-landed.ts';
import { FaultHosts } from './fault-host.ts';
import type { FaultRun } from './fault-run.ts';

let hosts: FaultHosts;
beforeEach(async () => {
  hosts = await FaultHosts.open(inject('temporalAddress'));
});
afterEach(() => hosts?.close());

const slow = { batches: 40, batch_seconds: 0.05 };

async function expectSalvaged(run: FaultRun): Promise<void> {
  const { receipt, violations } = await checkLanded(run, 300, { how: 'terminated', receipt: null });
  expect(violations).toEqual([]);
  expect(receipt).toMatchObject({
    outcome: 'salvaged',
    cause: { failure: { kind: 'forceStopped' } },
  });
  expect(receipt.epochs.trained).toBeGreaterThanOrEqual(1);
  expect(receipt.checkpoints.length).toBeGreaterThan(0);
}

describe('a run', () => {
  it('terminated from outside: its trainer saves and ends, and what it had lands', async () => {
    const worker = await hosts.worker();
    const run = await hosts.start({ epochs: 5, parameters: slow });
    await run.reaches(2, 5);
    await run.trainer(worker);
    await run.handle.terminate('by a test');
    await expectSalvaged(run);
  });

  it('deleted from outside: the same', async () => {
    const worker = await hosts.worker();
    const run = await hosts.start({ epochs: 5, parameters: slow });
    await run.reaches(2, 5);
    await run.trainer(worker);
    await hosts.client.workflowService.deleteWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId: run.id },
    });
    await expectSalvaged(run);
  });

  it('terminated while its worker was dead: the worker lands it when it is back', async () => {
    const worker = await hosts.worker();
    const run = await hosts.start({ epochs: 5, parameters: slow });
    await run.reaches(2, 5);
    await run.trainer(worker);
    await worker.kill();
    await run.handle.terminate('by a test');
    await worker.start();
    await expectSalvaged(run);
  });
});

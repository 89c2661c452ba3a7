/** A worker is killed, drained, or never comes back. */
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { checkLanded } from './check-landed.ts';
import { FaultHosts } from './fault-host.ts';

let hosts: FaultHosts;
beforeEach(async () => {
  hosts = await FaultHosts.open(inject('temporalAddress'));
});
afterEach(() => hosts?.close());

const slow = { batches: 40, batch_seconds: 0.05 };
/** Longer than the test: a recovery that waited for it would be seen. */
const noHeartbeatTimeout = { heartbeatSeconds: 600 };

describe('a worker', () => {
  it('killed and started again says at once which sessions it lost, and nothing is trained twice', async () => {
    const worker = await hosts.worker();
    const run = await hosts.start({ epochs: 3, parameters: slow, deadlines: noHeartbeatTimeout });
    await run.reaches(2, 10);
    await run.trainer(worker);
    await worker.kill();
    await worker.start();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 120, wasted: 0 } });
    expect(receipt.restarts).toMatchObject([{ reason: 'failure', failure: { kind: 'workerLost' } }]);
  });

  it('killed and never back: another worker of the pool takes over from the store', async () => {
    const worker = await hosts.worker();
    const run = await hosts.start({ epochs: 3, parameters: slow, deadlines: { heartbeatSeconds: 3 } });
    await run.until('has its first epoch in the store', ({ checkpoints }) => checkpoints.some(({ stored }) => stored));
    await run.trainer(worker);
    await worker.kill();
    const other = await hosts.worker();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 120 } });
    expect(receipt.batches.wasted).toBeLessThanOrEqual(40);
    expect(receipt.checkpoints.at(-1)?.session).not.toBe(undefined);
    expect(other.isAlive).toBe(true);
  });

  it('told to go (SIGTERM) hands its run over to another: nothing wasted, no failure counted', async () => {
    const worker = await hosts.worker();
    const run = await hosts.start({
      epochs: 3,
      parameters: slow,
      failures: { restarts: 0 },
      deadlines: noHeartbeatTimeout,
    });
    await run.reaches(2, 10);
    await run.trainer(worker);
    const other = await hosts.worker();
    worker.signal('SIGTERM');
    expect(await worker.exited).toBe(0);
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 120, wasted: 0 } });
    expect(receipt.restarts).toMatchObject([{ reason: 'preemption', failure: null }]);
    expect((await other.status()).slots.taken).toEqual([]);
  });
});

/** A worker is killed, drained, or never comes back. */
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { checkLanded } from './check-landed.ts';
import { FaultHosts, type FaultWorker } from './fault-host.ts';

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
    const run = await hosts.start({ epochs: 6, parameters: slow, deadlines: noHeartbeatTimeout });
    await run.reaches(2, 10);
    await run.trainer(worker);
    await worker.kill();
    await worker.start();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 240, wasted: 0 } });
    expect(receipt.restarts).toMatchObject([{ reason: 'failure', failure: { kind: 'workerLost' } }]);
  });

  it('killed after the last epoch: another one does what follows it, and nobody is left', async () => {
    const worker = await hosts.worker();
    const run = await hosts.start({
      epochs: 2,
      parameters: { ...slow, finish_seconds: 30, children: 1 },
      deadlines: { heartbeatSeconds: 2 },
    });
    await run.reaches(1, 0);
    // Somebody has to find out that the first one is away.
    await hosts.worker();
    await run.until('finishes', ({ detail }) => detail === 'training.finishing');
    await run.trainer(worker);
    await worker.kill();
    await run.until('finishes elsewhere', ({ detail, session }) => {
      return detail === 'training.finishing' && session?.host !== worker.host;
    });
    await worker.start();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', processGroupGone: true });
  });

  it('killed and never back: another worker of the pool takes over from the store', async () => {
    const worker = await hosts.worker();
    const run = await hosts.start({ epochs: 6, parameters: slow, deadlines: { heartbeatSeconds: 3 } });
    await run.until('has its first epoch in the store', ({ checkpoints }) => checkpoints.some(({ stored }) => stored));
    await run.trainer(worker);
    await worker.kill();
    const other = await hosts.worker();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 240 } });
    expect(receipt.batches.wasted).toBeLessThanOrEqual(40);
    expect(other.isAlive).toBe(true);
  });

  it('told to go (SIGTERM) hands its run over to another: nothing wasted, no failure counted', async () => {
    const both = [await hosts.worker(), await hosts.worker()];
    const run = await hosts.start({
      epochs: 6,
      // More than a moment to store: the worker waits until the other one can have it.
      parameters: { ...slow, checkpoint_bytes: 300_000_000 },
      failures: { restarts: 0 },
      deadlines: noHeartbeatTimeout,
    });
    await run.reaches(2, 10);
    const { session } = await run.view();
    const [worker, other] = both[0]?.host === session?.host ? both : both.reverse();
    await run.trainer(worker as FaultWorker);
    worker?.signal('SIGTERM');
    expect(await worker?.exited).toBe(0);
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 240, wasted: 0 } });
    expect(receipt.restarts).toMatchObject([{ reason: 'preemption', failure: null }]);
    expect((await other?.status())?.slots.taken).toEqual([]);
  });

  it('told twice (SIGTERM) ends at once, whatever its trainer does, and its run goes on elsewhere', async () => {
    const both = [await hosts.worker(), await hosts.worker()];
    const run = await hosts.start({
      epochs: 3,
      parameters: { ...slow, ignore_stop: '1:6', ignore_sigterm: true, children: 1, fail_at: '' },
      deadlines: noHeartbeatTimeout,
    });
    await run.reaches(1, 4);
    const { session } = await run.view();
    const worker = both.find(({ host }) => host === session?.host) as FaultWorker;
    await run.trainer(worker);
    worker.signal('SIGTERM');
    worker.signal('SIGTERM');
    await worker.exited;
    const view = await run.until(
      'goes on elsewhere',
      (now) => now.session !== null && now.session.host !== worker.host,
    );
    expect(view.restarts).toMatchObject([{ reason: 'preemption' }]);
    await run.update('stop', { mode: 'now' });
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'stopped', processGroupGone: true });
  });
});

/** A machine is taken away by its cloud, or its time in a batch job is over: its runs resume elsewhere, and nothing is wasted. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { readProcessFile } from '../../worker/process-file.ts';
import { groupMembers } from '../../worker/process-groups.ts';
import { RunFolders } from '../../worker/run-folders.ts';
import { moreToTrain } from '../../worker/worker-signals.ts';
import { until } from '../support/until.ts';
import { checkLanded } from './check-landed.ts';
import { FaultHosts, type FaultWorker } from './fault-host.ts';
import type { FaultRun } from './fault-run.ts';

let hosts: FaultHosts;
beforeEach(async () => {
  hosts = await FaultHosts.open(inject('temporalAddress'));
});
afterEach(() => hosts?.close());

const told = { batches: 12, batch_seconds: 0.11 };
/** Longer than the test: a recovery that waited for it would be seen. */
const noHeartbeatTimeout = { heartbeatSeconds: 600 };

/** A run that trains batch 10 of its second epoch, on the only worker that there is. */
async function inTheMidst(worker: FaultWorker): Promise<FaultRun> {
  const hold = await hosts.hold('2:10');
  const run = await hosts.start({
    epochs: 3,
    parameters: { ...told, ...hold.parameters },
    failures: { restarts: 0 },
    deadlines: noHeartbeatTimeout,
  });
  await hold.reached();
  await run.reaches(2, 9);
  await run.trainer(worker);
  return run;
}

async function wentOn(run: FaultRun): Promise<void> {
  const { receipt, violations } = await checkLanded(run);
  expect(violations).toEqual([]);
  expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 36, wasted: 0 } });
  expect(receipt.restarts).toMatchObject([{ reason: 'preemption', failure: null }]);
}

describe('a machine that is taken away', () => {
  it('hands its run over within the notice, and takes none when it is started again', async () => {
    let isGoing = false;
    const metadata = createServer((_, response) => response.writeHead(isGoing ? 200 : 404).end(isGoing ? '30' : ''));
    await new Promise<void>((resolve) => metadata.listen(0, '127.0.0.1', resolve));
    try {
      const spot = { EPOCHAL_SPOT: `http://127.0.0.1:${(metadata.address() as AddressInfo).port}/going` };
      const worker = await hosts.worker({ env: spot });
      const run = await inTheMidst(worker);
      const other = await hosts.worker();
      isGoing = true;
      expect(await worker.exited).toBe(0);
      await worker.launch();
      expect(await worker.exited).toBe(0);
      await wentOn(run);
      expect((await other.status()).slots.taken).toEqual([]);
    } finally {
      metadata.closeAllConnections();
      metadata.close();
    }
  });
});

describe('a worker in a batch job', () => {
  /** As Slurm's plugins that track processes do: all of the job's, in no order. */
  async function tellAll(run: FaultRun, worker: FaultWorker, ...signals: NodeJS.Signals[]): Promise<void> {
    const file = await readProcessFile(new RunFolders(worker.dataFolder).of(run.place));
    if (!file?.supervisor) throw new Error('there is no supervisor');
    const all = [worker.pid, file.supervisor.pid, ...(await groupMembers(file.pid))];
    for (const signal of signals) for (const pid of all) process.kill(pid, signal);
  }

  it('told before its time limit (SIGUSR1) hands over, and says that there is more to train; one with nothing to do ends', async () => {
    const worker = await hosts.worker({ env: { EPOCHAL_TEST_IDLE_SECONDS: '600' } });
    const run = await inTheMidst(worker);
    await hosts.worker();
    worker.signal('SIGUSR1');
    expect(await worker.exited).toBe(moreToTrain);
    await wentOn(run);
    await worker.launch({ env: { EPOCHAL_TEST_IDLE_SECONDS: '1' } });
    expect(await worker.exited).toBe(0);
  });

  it('cancelled or preempted (SIGCONT and SIGTERM to all of its processes, and again) hands over', async () => {
    const worker = await hosts.worker({ env: { EPOCHAL_TEST_IDLE_SECONDS: '600' } });
    const run = await inTheMidst(worker);
    await hosts.worker();
    await tellAll(run, worker, 'SIGCONT', 'SIGTERM');
    await until('its trainer ends', async () => !worker.isAlive || (await run.view()).session?.host !== worker.host);
    worker.signal('SIGCONT');
    worker.signal('SIGTERM');
    expect(await worker.exited).toBe(0);
    await wentOn(run);
  });
});

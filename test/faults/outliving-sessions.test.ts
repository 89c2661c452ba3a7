/** A worker goes and another one comes: the trainer does not notice, or its end is told as it was. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, it, type TestContext } from 'vitest';
import { readStamps } from '../../bench/stamps.ts';
import type { RunConfigInput } from '../../contracts/run-config.ts';
import { readProcessFile } from '../../worker/process-file.ts';
import { processGone } from '../../worker/process-groups.ts';
import { RunFolders } from '../../worker/run-folders.ts';
import { handOverSignal } from '../../worker/worker-lock.ts';
import { until } from '../support/until.ts';
import { checkLanded } from './check-landed.ts';
import { FaultHosts, type FaultWorker } from './fault-host.ts';
import type { FaultRun } from './fault-run.ts';
import { isContained } from './launched.ts';

const told = { batches: 12, batch_seconds: 0.11 };
/** However long the next worker takes to start on a busy machine. */
const inTime = { reattachSeconds: 600 };
/** Longer than the test: who waited for it would be seen. */
const noHeartbeatTimeout = { ...inTime, heartbeatSeconds: 600 };
/** Soon, and the trainer is there all the same. */
const soonGivenUp = { ...inTime, heartbeatSeconds: 3 };

/** A run whose trainer waits at this place, and the one worker there is. */
async function begin({ onTestFinished }: TestContext, place: string, config: Partial<RunConfigInput> = {}) {
  const hosts = await FaultHosts.open(inject('temporalAddress'));
  onTestFinished(() => hosts.close());
  const hold = await hosts.hold(place);
  const worker = await hosts.worker();
  const stamps = join(hosts.folder, 'stamps');
  const parameters = { ...told, ...hold.parameters, stamps };
  const run = await hosts.start({ epochs: 3, parameters, deadlines: noHeartbeatTimeout, ...config });
  await hold.reached();
  const trainer = await run.trainer(worker);
  const pids = async () => new Set((await readStamps(stamps)).map(({ pid }) => pid));
  return { run, worker, hold, trainer, pids };
}

const handOver = async (worker: FaultWorker) => {
  worker.signal(handOverSignal);
  expect(await worker.exited).toBe(0);
};
const kill = (worker: FaultWorker) => worker.kill();

const givenUp = (run: FaultRun) =>
  until('the server has given it up', async () => {
    const { events } = await run.handle.fetchHistory();
    return events?.some(({ activityTaskTimedOutEventAttributes: timedOut }) => timedOut);
  });

async function expectLanded(run: FaultRun, expected: object): Promise<void> {
  const { receipt, violations } = await checkLanded(run);
  expect(violations).toEqual([]);
  expect(receipt).toMatchObject(expected);
}

describe.concurrent('a trainer whose worker', () => {
  it.for([
    ['was killed', kill],
    ['has handed over', handOver],
  ] as const)(
    '%s trains on, and the next worker takes it up: nothing restarts, and nothing is wasted',
    async ([, go], test) => {
      const { run, worker, hold, trainer, pids } = await begin(test, '2:10');
      await go(worker);
      // Through what it was granted, with nobody there.
      await hold.release();
      await until('it trains on', () => run.hasOnDisk(worker, 'epoch-0002'));
      await worker.start();
      await expectLanded(run, { outcome: 'completed', batches: { trained: 36, wasted: 0 }, restarts: [] });
      expect(await pids()).toEqual(new Set([trainer.ownPid]));
    },
  );

  it('was away until its run had given it up is found again all the same', async (test) => {
    const { run, worker, hold, trainer, pids } = await begin(test, '2:10', { deadlines: soonGivenUp });
    await worker.kill();
    await givenUp(run);
    await worker.start();
    await hold.release();
    await expectLanded(run, { outcome: 'completed', batches: { trained: 36, wasted: 0 }, restarts: [] });
    expect(await pids()).toEqual(new Set([trainer.ownPid]));
  });

  it('does not come back in time saves at its batch boundary and ends; its run goes on from there', async (test) => {
    const deadlines = { ...noHeartbeatTimeout, reattachSeconds: 0.5 };
    const { run, worker, trainer, pids } = await begin(test, '2:10', { deadlines });
    await worker.kill();
    await run.ends(trainer);
    await worker.start();
    const restarts = [{ reason: 'failure', failure: { kind: 'workerLost' } }];
    await expectLanded(run, { outcome: 'completed', batches: { trained: 36, wasted: 0 }, restarts });
    // In a container each is the first that is started there.
    if (!isContained) expect((await pids()).size).toBe(2);
  });

  it.for([
    ['killed then', false],
    ['killed then, and given up by its run', true],
  ] as const)('is away is %s: the next worker tells how it ended', async ([, isGivenUp], test) => {
    const { run, worker, hold, trainer } = await begin(test, '2:10', {
      failures: { restarts: 1, backoffSeconds: 0, maxBackoffSeconds: 0 },
      deadlines: isGivenUp ? soonGivenUp : noHeartbeatTimeout,
    });
    await worker.kill();
    process.kill(trainer.pid, 'SIGKILL');
    await run.ends(trainer);
    await hold.release();
    if (isGivenUp) await givenUp(run);
    await worker.start();
    // Once, whoever was faster: what the run believed meanwhile is taken back.
    const failure = { kind: 'trainerKilled', exit: { code: null, signal: 'SIGKILL' } };
    await expectLanded(run, { outcome: 'completed', restarts: [{ reason: 'failure', failure }] });
  });

  it('is away finishes then: what follows the last epoch is not done again', async (test) => {
    const { run, worker, hold, trainer, pids } = await begin(test, 'finish', { epochs: 1 });
    await run.until('finishes', ({ detail }) => detail === 'training.finishing');
    await worker.kill();
    await hold.release();
    await run.ends(trainer);
    await worker.start();
    await expectLanded(run, { outcome: 'completed', batches: { trained: 12, wasted: 0 }, restarts: [] });
    expect(await pids()).toEqual(new Set([trainer.ownPid]));
  });

  // In a container that is the end of all.
  it.skipIf(isContained)('and whose supervisor were killed is taken up as well', async (test) => {
    const { run, worker, hold, trainer, pids } = await begin(test, '2:10');
    const supervisor = (await readProcessFile(new RunFolders(worker.dataFolder).of(run.id)))?.supervisor;
    if (!supervisor) throw new Error('no supervisor');
    await worker.kill();
    process.kill(supervisor.pid, 'SIGKILL');
    expect(await processGone(supervisor, AbortSignal.timeout(60_000))).toBe(true);
    await worker.start();
    await hold.release();
    await expectLanded(run, { outcome: 'completed', batches: { trained: 36, wasted: 0 }, restarts: [] });
    expect(await pids()).toEqual(new Set([trainer.ownPid]));
    expect(existsSync(worker.runFolder(run.id))).toBe(false);
  });
});

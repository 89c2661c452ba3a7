/** A worker is killed, drained, or never comes back. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { poolQueue } from '../../contracts/queues.ts';
import { groupMembers, markedProcesses } from '../../worker/process-groups.ts';
import { takeAway } from '../support/store-away.ts';
import { until } from '../support/until.ts';
import { checkLanded } from './check-landed.ts';
import { FaultHosts, type FaultWorker } from './fault-host.ts';

let hosts: FaultHosts;
beforeEach(async () => {
  hosts = await FaultHosts.open(inject('temporalAddress'));
});
afterEach(() => hosts?.close());

const slow = { batches: 40, batch_seconds: 0.05 };
/** A trainer tells of its batches ten times a second: of each of these, so that what is wasted is known exactly. */
const told = { batches: 12, batch_seconds: 0.11 };
/** A trainer whose worker is not to come back ends soon. */
const soonAlone = { heartbeatSeconds: 5, reattachSeconds: 1 };
/** Longer than the test: a recovery that waited for it would be seen. */
const noHeartbeatTimeout = { heartbeatSeconds: 600 };

describe('a worker', () => {
  it('killed after the last epoch: another one does what follows it, and nobody is left', async () => {
    const worker = await hosts.worker();
    const hold = await hosts.hold('finish');
    const run = await hosts.start({
      epochs: 2,
      parameters: { ...hold.parameters, children: 1 },
      deadlines: { heartbeatSeconds: 5 },
    });
    await hold.reached();
    // Somebody has to find out that the first one is away.
    await hosts.worker();
    await run.until('finishes, with everything stored', ({ detail, checkpoints }) => {
      return detail === 'training.finishing' && checkpoints.some(({ epoch, stored }) => epoch === 2 && stored);
    });
    const trainer = await run.trainer(worker);
    await worker.kill();
    await run.until('finishes elsewhere', ({ detail, session }) => {
      return detail === 'training.finishing' && session?.host !== worker.host;
    });
    await worker.start();
    await run.ends(trainer);
    await hold.release();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({
      outcome: 'completed',
      processGroupGone: true,
      batches: { trained: 10, wasted: 0 },
    });
    expect(receipt.restarts).toMatchObject([{ failure: { kind: 'hostLost' } }]);
  });

  it('killed and never back: another worker of the pool takes over from the store', async () => {
    const worker = await hosts.worker();
    const hold = await hosts.hold('2:10');
    const parameters = { ...told, ...hold.parameters };
    const run = await hosts.start({ epochs: 3, parameters, deadlines: soonAlone });
    await run.until('has its first epoch in the store', ({ checkpoints }) => checkpoints.some(({ stored }) => stored));
    await run.reaches(2, 9);
    const trainer = await run.trainer(worker);
    await worker.kill();
    await run.ends(trainer);
    await hold.release();
    const other = await hosts.worker();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 36, wasted: 9, wastedAtLeast: true } });
    expect(receipt.restarts).toMatchObject([{ reason: 'failure', failure: { kind: 'hostLost' } }]);
    expect((await other.status()).slots.taken).toEqual([]);
  });

  it.each([
    ['a batch', '1:3'],
    ['set-up', 'set_up'],
    ['finishing', 'finish'],
  ])(
    'killed and never back, while its trainer hangs in %s: it is ended all the same, with all that it started',
    async (_, at) => {
      const worker = await hosts.worker();
      const hangs = { fail_at: at, fail_kind: 'hang', ignore_sigterm: true, children: 1, escaped: 1 };
      const deadlines = { reattachSeconds: 1, stopSeconds: 1, terminateSeconds: 1 };
      const run = await hosts.start({ epochs: 1, parameters: { batches: 3, ...hangs }, deadlines });
      const trainer = await run.trainer(worker);
      await until('it hangs', () => existsSync(join(worker.runFolder(run.id), 'counter-failures')));
      const session = `${worker.runFolder(run.id)}/session.json`;
      expect(await markedProcesses(session)).toHaveLength(3);
      await worker.kill();
      await run.ends(trainer);
      await until('nothing of its session is alive', async () => (await markedProcesses(session))?.length === 0);
      await run.handle.terminate();
    },
  );

  it('killed and never back, an epoch not in the store yet: that epoch is trained again', async () => {
    const worker = await hosts.worker();
    const hold = await hosts.hold('1:10', '2:10');
    const parameters = { ...told, ...hold.parameters };
    const run = await hosts.start({ epochs: 3, parameters, deadlines: soonAlone });
    await hold.reached('1:10');
    const bringBack = await takeAway(hosts.store);
    await hold.release('1:10');
    await run.until('has trained its first epoch', ({ position }) => position.epoch === 1);
    await run.reaches(2, 9);
    const trainer = await run.trainer(worker);
    await worker.kill();
    await run.ends(trainer);
    await hold.release('2:10');
    await bringBack();
    await hosts.worker();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 36, wasted: 12 + 9 } });
  });

  it('told to go (SIGTERM) hands its run over to another: nothing wasted, no failure counted', async () => {
    const both = [await hosts.worker(), await hosts.worker()];
    const hold = await hosts.hold('2:10');
    const run = await hosts.start({
      epochs: 3,
      // More than a moment to store: the worker waits until the other one can have it.
      parameters: { ...told, ...hold.parameters, checkpoint_bytes: 300_000_000 },
      failures: { restarts: 0 },
      deadlines: noHeartbeatTimeout,
    });
    await hold.reached();
    await run.reaches(2, 9);
    const { session } = await run.view();
    const [worker, other] = both[0]?.host === session?.host ? both : both.reverse();
    await run.trainer(worker as FaultWorker);
    worker?.signal('SIGTERM');
    expect(await worker?.exited).toBe(0);
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 36, wasted: 0 } });
    expect(receipt.restarts).toMatchObject([{ reason: 'preemption', failure: null }]);
    expect((await other?.status())?.slots.taken).toEqual([]);
  });

  it('told to go (SIGTERM) between two epochs hands its run over all the same', async () => {
    const both = [await hosts.worker({ slots: 2 }), await hosts.worker({ slots: 2 })];
    const runs = await Promise.all(
      // Epochs so short that a run is as often between two as in one.
      [1, 2].map((seed) => hosts.start({ epochs: 100_000, seed, parameters: { batches: 1, validation_batches: 0 } })),
    );
    for (const run of runs) await run.until('trains', ({ position }) => position.epoch > 3);
    for (let drains = 0; drains < 2; drains++) {
      const [worker, other] = drains % 2 === 0 ? both : both.toReversed();
      const epoch = Math.max(...(await Promise.all(runs.map(async (run) => (await run.view()).position.epoch))));
      worker?.signal('SIGTERM');
      expect(await worker?.exited).toBe(0);
      for (const run of runs) {
        await run.until('goes on', ({ position, session, detail }) => {
          return position.epoch > epoch + 2 && session?.host !== worker?.host && detail === 'training.epoch';
        });
      }
      await worker?.start();
      expect(other?.isAlive).toBe(true);
    }
    for (const run of runs) await run.update('stop', { mode: 'batch' });
    for (const run of runs) {
      const { receipt, violations } = await checkLanded(run);
      expect(violations).toEqual([]);
      expect(receipt).toMatchObject({ outcome: 'stopped', batches: { wasted: 0 } });
      for (const restart of receipt.restarts) expect(restart.reason).toBe('preemption');
    }
  });

  it('told to go (SIGTERM) while a run is published sees it through', async () => {
    const worker = await hosts.worker();
    const store = join(hosts.folder, 'late-store');
    const hold = await hosts.hold('1:6');
    const parameters = { ...slow, ...hold.parameters };
    const run = await hosts.start({ epochs: 2, store, parameters, deadlines: noHeartbeatTimeout });
    await hold.reached();
    const bringBack = await takeAway(store);
    await run.trainer(worker);
    await run.update('stop', { mode: 'batch' });
    await run.publishesAgain();
    worker.signal('SIGTERM');
    await bringBack();
    expect(await worker.exited).toBe(0);
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'stopped', localFolder: { kind: 'removed' } });
    expect(receipt.batches).toMatchObject({ trained: 6, wasted: 0 });
  });

  it.each([
    ['with what serves the workflows', true],
    ['while another one serves the workflows', false],
  ])('told to go (SIGTERM) while its trainer finishes, %s: publishes what it trained', async (_, isAlone) => {
    const worker = await hosts.worker({ env: { EPOCHAL_TEST_CONTROL: isAlone ? 'yes' : 'no' } });
    // Of another pool: it cannot publish for it.
    if (!isAlone) await hosts.worker({ env: { EPOCHAL_POOL: `${hosts.pool}-other` } });
    const hold = await hosts.hold('export');
    const run = await hosts.start({ epochs: 1, parameters: hold.parameters, deadlines: noHeartbeatTimeout });
    await hold.reached();
    await run.until('finishes', ({ detail }) => detail === 'training.finishing');
    await run.trainer(worker);
    worker.signal('SIGTERM');
    await run.hearsStop(worker);
    await hold.release();
    expect(await worker.exited).toBe(0);
    // Whoever waited for this host to come back would wait for five minutes.
    expect((await run.handle.describe()).status.name).toBe('COMPLETED');
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', restarts: [], localFolder: { kind: 'removed' } });
    expect(receipt.batches).toMatchObject({ trained: 5, wasted: 0 });
  });

  it('told twice (SIGTERM) ends at once, whatever its trainer does, and its run resumes elsewhere', async () => {
    const both = [await hosts.worker(), await hosts.worker()];
    const run = await hosts.start({
      epochs: 3,
      parameters: { ...told, ignore_stop: '1:6', ignore_sigterm: true, children: 1 },
      failures: { restarts: 0 },
      deadlines: noHeartbeatTimeout,
    });
    await run.reaches(1, 5);
    const { session } = await run.view();
    const worker = both.find(({ host }) => host === session?.host) as FaultWorker;
    const trainer = await run.trainer(worker);
    worker.signal('SIGTERM');
    // Two signals of a kind that nobody has taken yet are one.
    await run.hearsStop(worker);
    worker.signal('SIGTERM');
    await worker.exited;
    expect(await groupMembers(trainer.pid)).toEqual([]);
    const view = await run.until(
      'goes on elsewhere',
      (now) => now.session !== null && now.session.host !== worker.host,
    );
    expect(view.restarts).toMatchObject([{ reason: 'preemption' }]);
    await run.update('stop', { mode: 'now' });
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'stopped', processGroupGone: true });
    // Those of the first trainer, and what the second one was stopped in.
    expect(receipt.batches.wasted).toBeGreaterThanOrEqual(5);
  });

  it('frozen until it was given up, and back: its run finds its session again, and nothing was a restart', async () => {
    const worker = await hosts.worker({ slots: 2 });
    const run = await hosts.start({ epochs: 20, parameters: slow, deadlines: { heartbeatSeconds: 3 } });
    await run.reaches(2, 5);
    const trainer = await run.trainer(worker);
    worker.signal('SIGSTOP');
    // Nobody else can go on with the run, so that it hears of this only when its worker is back.
    await until('the server has given it up', async () => {
      const { events } = await run.handle.fetchHistory();
      return events?.some(({ activityTaskTimedOutEventAttributes: timedOut }) => timedOut);
    });
    worker.signal('SIGCONT');
    const told = 'the host is back, and its session was found there';
    await run.until('goes on', ({ events }) => events.some(({ message }) => message === told));
    expect(await run.trainer(worker)).toEqual(trainer);
    await run.update('stop', { mode: 'batch' });
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'stopped', batches: { wasted: 0 }, restarts: [] });
  });

  it('frozen for longer than a hang may take: its trainer, that nobody heard, is not taken for hung', async () => {
    const worker = await hosts.worker();
    const hangSeconds = 10;
    const run = await hosts.start({
      epochs: 20,
      parameters: slow,
      deadlines: { ...noHeartbeatTimeout, hangFloorSeconds: hangSeconds, hangCeilingSeconds: hangSeconds },
    });
    await run.reaches(2, 5);
    const trainer = await run.trainer(worker);
    const frozenAt = performance.now();
    worker.signal('SIGSTOP');
    await until('it is frozen for longer', () => performance.now() - frozenAt > 1.5 * hangSeconds * 1000);
    worker.signal('SIGCONT');
    await run.reaches(5, 5);
    expect(await run.trainer(worker)).toEqual(trainer);
    await run.update('stop', { mode: 'batch' });
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'stopped', batches: { wasted: 0 }, restarts: [] });
  });

  it('killed while it opens a session, of a run that is terminated then: it lands the run when it is back', async () => {
    const gone = await hosts.worker();
    const run = await hosts.start({
      epochs: 50,
      parameters: slow,
      deadlines: { heartbeatSeconds: 3, reattachSeconds: 1 },
    });
    await run.until('has an epoch in the store', ({ checkpoints }) => checkpoints.some(({ stored }) => stored));
    await run.trainer(gone);
    // The next session is held where it looks for the run's checkpoints, before there is a trainer.
    const bringBack = await takeAway(hosts.store);
    await gone.kill();
    const worker = await hosts.worker();
    await run.waitsForStore();
    await worker.kill();
    await run.handle.terminate('by a test');
    await bringBack();
    await worker.start();
    const { receipt, violations } = await checkLanded(run, 300, { how: 'terminated', receipt: null });
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'salvaged', localFolder: { kind: 'removed' } });
    expect(receipt.checkpoints.length).toBeGreaterThan(0);
  });

  it('frozen for long, with no other slot free: its run finds its own trainer again, which held its slot', async () => {
    const worker = await hosts.worker({ env: { EPOCHAL_SESSION_IDLE_SECONDS: String(7 * 24 * 3600) } });
    const hold = await hosts.hold('1:10');
    const parameters = { ...told, ...hold.parameters };
    const run = await hosts.start({ epochs: 4, parameters, deadlines: { heartbeatSeconds: 5 } });
    await hold.reached();
    await run.trainer(worker);
    // The other worker has workflows to run, and no slot left.
    await hosts.worker();
    const other = await hosts.start({ epochs: 1000, parameters: slow });
    await other.reaches(1, 1);
    worker.signal('SIGSTOP');
    await hold.release();
    await run.until('looks for a host', ({ detail }) => detail === 'training.acquiring');
    // Attempts to get the first session back have an end; then the run waits for a slot anywhere.
    await until('waits for a slot', async () => {
      const { events } = await run.handle.fetchHistory();
      const queues = (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) =>
        scheduled?.activityType?.name === 'openSession' ? [scheduled.taskQueue?.name] : [],
      );
      return queues.length > 2 && queues.at(-1) === poolQueue(hosts.pool);
    });
    worker.signal('SIGCONT');
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 48, wasted: 0 }, restarts: [] });
    // Its own host knows how far it came.
    expect(receipt.batches).not.toHaveProperty('wastedAtLeast');
    await other.update('stop', { mode: 'now' });
    await other.closed();
  });
});

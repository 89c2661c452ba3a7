/** The Temporal server is killed (SIGKILL) and comes back, in every state of a run. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { takeAway } from '../support/store-away.ts';
import { until } from '../support/until.ts';
import { checkLanded } from './check-landed.ts';
import { FaultHosts, type FaultWorker } from './fault-host.ts';
import { FaultServer } from './fault-server.ts';

let server: FaultServer;
let hosts: FaultHosts;
let worker: FaultWorker;
beforeAll(async () => {
  server = await FaultServer.start(await mkdtemp(join(tmpdir(), 'epochal-fault-server-')));
  hosts = await FaultHosts.open(server.address);
  worker = await hosts.worker({ slots: 1 });
});
afterAll(async () => {
  await hosts?.close();
  await server?.stop();
});

const slow = { batches: 40, batch_seconds: 0.05 };
const patient = { heartbeatSeconds: 600 };
const killAndRestart = async () => {
  await server.kill();
  await server.restart();
};

describe('a server killed and started again', () => {
  it('while a run is a draft: it is configured and trains', async () => {
    const run = await hosts.start({ epochs: 3 }, { draft: true });
    await run.until('is a draft', ({ detail }) => detail === 'configuring.draft');
    await killAndRestart();
    await run.until('answers', () => true);
    await run.update('configure', { checkpoints: { last: 2 } });
    await run.update('train');
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', restarts: [] });
  });

  it('while a run waits for a slot: it gets the next one', async () => {
    const first = await hosts.start({ epochs: 1000, parameters: slow, deadlines: patient });
    await first.reaches(1, 1);
    const second = await hosts.start({ epochs: 2, deadlines: patient });
    await second.until('waits', ({ detail }) => detail === 'training.acquiring');
    await killAndRestart();
    await first.until('answers', () => true);
    await first.update('stop', { mode: 'batch' });
    for (const run of [first, second]) {
      const { receipt, violations } = await checkLanded(run);
      expect(violations).toEqual([]);
      expect(receipt.outcome).toBe(run === first ? 'stopped' : 'completed');
    }
  });

  it('while an epoch trains: the trainer goes on through what it was granted, and nothing is wasted', async () => {
    const hold = await hosts.hold('2:6');
    const run = await hosts.start({ epochs: 4, parameters: { ...slow, ...hold.parameters }, deadlines: patient });
    await hold.reached();
    await run.until('has its first epoch', ({ position }) => position.epoch === 1);
    // Whoever tells of the second one has granted it and the next.
    await run.reaches(2, 1);
    const trainer = await run.trainer(worker);
    await server.kill();
    await hold.release();
    await until('it has trained what it was granted', () => run.hasOnDisk(worker, 'epoch-0003'));
    await server.restart();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 160, wasted: 0 }, restarts: [] });
    expect(run.trainers).toEqual([trainer]);
  });

  it('while a run waits before another attempt: it goes on', async () => {
    const run = await hosts.start({
      epochs: 2,
      parameters: { fail_at: '2:3' },
      // Seconds, of which it has not seen one when the server goes.
      failures: { restarts: 1, backoffSeconds: 20, maxBackoffSeconds: 20 },
      deadlines: patient,
    });
    await run.until('recovers', ({ detail }) => detail === 'training.recovering');
    await killAndRestart();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', restarts: [{ failure: { kind: 'trainerError' } }] });
  });

  it('while a trainer finishes after its last epoch: it finishes once', async () => {
    const hold = await hosts.hold('finish');
    const run = await hosts.start({ epochs: 1, parameters: hold.parameters, deadlines: patient });
    await run.until('finishes', ({ detail }) => detail === 'training.finishing');
    await hold.reached();
    // A start that the server has noted, and could not tell its worker of any more, costs a whole heartbeat timeout.
    await until('its worker waits for that', async () => (await run.pending('stopTrainer'))?.details);
    const trainer = await run.trainer(worker);
    await killAndRestart();
    await hold.release();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', restarts: [] });
    expect(run.trainers).toEqual([trainer]);
  });

  it('while a run is paused: it resumes where it was', async () => {
    const hold = await hosts.hold('1:6');
    const run = await hosts.start({ epochs: 2, parameters: { ...slow, ...hold.parameters }, deadlines: patient });
    await hold.reached();
    await run.update('pause');
    const { position } = await run.until('pauses', ({ detail }) => detail === 'training.paused');
    expect(position).toEqual({ epoch: 0, batch: 6 });
    await killAndRestart();
    await run.until('answers', () => true);
    await run.update('resume');
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 80, wasted: 0 } });
  });

  it('while a trainer is being stopped: the ladder goes on', async () => {
    const run = await hosts.start({
      epochs: 5,
      parameters: { ...slow, ignore_stop: '1:5', ignore_sigterm: true, children: 1 },
      deadlines: { ...patient, stopSeconds: 6, terminateSeconds: 1 },
    });
    await run.reaches(1, 3);
    await run.trainer(worker);
    await run.update('stop', { mode: 'batch' });
    await run.hearsStop(worker);
    await killAndRestart();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'stopped', processGroupGone: true });
  });

  it('while a run is being published: everything lands', async () => {
    const store = join(hosts.folder, 'late-store');
    const hold = await hosts.hold('2:6');
    const parameters = { ...slow, ...hold.parameters };
    const run = await hosts.start({ epochs: 2, store, parameters, deadlines: patient });
    await hold.reached();
    const bringBack = await takeAway(store);
    await hold.release();
    await run.publishesAgain();
    await killAndRestart();
    await bringBack();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', epochs: { trained: 2 } });
  });
});

/** The store is away, read-only or full; the disk of the run folders is full; a checkpoint is damaged. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { RunConfigInput } from '../../contracts/run-config.ts';
import type { RunView } from '../../contracts/run-messages.ts';
import { openStore } from '../../stores/open-store.ts';
import { markName } from '../../stores/store-mark.ts';
import { type InItsPlace, takeAway } from '../support/store-away.ts';
import { checkLanded } from './check-landed.ts';
import { FaultHosts, type FaultWorker } from './fault-host.ts';
import type { FaultRun } from './fault-run.ts';
import type { Hold } from './hold.ts';
import { can } from './machine-abilities.ts';

let hosts: FaultHosts;
let worker: FaultWorker;
let undo: (() => void)[] = [];
beforeEach(async () => {
  hosts = await FaultHosts.open(inject('temporalAddress'));
});
afterEach(async () => {
  for (const worker of hosts.workers) await worker.kill();
  for (const step of undo.reverse()) step();
  undo = [];
  await hosts?.close();
});

const slow = { batches: 40, batch_seconds: 0.05 };
/** Held in batch 6 of epoch 2, so that what happens to its store or its disk happens before it is done. */
async function held(config: Partial<RunConfigInput> = {}): Promise<{ run: FaultRun; hold: Hold }> {
  const hold = await hosts.hold('2:6');
  const run = await hosts.start({
    epochs: 2,
    ...config,
    parameters: { ...slow, ...config.parameters, ...hold.parameters },
  });
  await hold.reached();
  return { run, hold };
}
const run_ = (program: string, ...args: string[]) => execFileSync(program, args, { stdio: 'pipe' });

/** A tmpfs of this size, unmounted after the test. */
async function smallDisk(path: string, size: string): Promise<void> {
  await mkdir(path, { recursive: true });
  run_('mount', '-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'epochal-test', path);
  undo.push(() => run_('umount', '-l', path));
}

/** The run waits in `uploading` with its files, until `mend` is done; then it lands whole. */
async function expectPatience(run: FaultRun, mend: () => Promise<void> | void): Promise<void> {
  await run.publishesAgain();
  expect(await run.view()).toMatchObject({ detail: 'uploading.publishing' });
  expect(existsSync(join(worker.runFolder(run.id), 'checkpoints'))).toBe(true);
  await mend();
  const { receipt, violations } = await checkLanded(run);
  expect(violations).toEqual([]);
  expect(receipt).toMatchObject({ outcome: 'completed', epochs: { trained: 2 } });
}

describe('a store', () => {
  it.each<InItsPlace>(['empty folder', 'file'])(
    'that is away is waited for (%s in its place): the run keeps its files and lands when it is back',
    async (inItsPlace) => {
      worker = await hosts.worker();
      const { run, hold } = await held();
      const bringBack = await takeAway(hosts.store, inItsPlace);
      await hold.release();
      await expectPatience(run, bringBack);
    },
  );

  it('that is away for many epochs holds nothing up and fills no disk; the run says so, and lands when it is back', async () => {
    worker = await hosts.worker();
    const { run, hold } = await held({ epochs: 16, parameters: { batches: 7, batch_seconds: 0.01 } });
    const bringBack = await takeAway(hosts.store);
    await hold.release();
    await run.until('has trained all epochs', ({ position }) => position.epoch === 16);
    const onDisk = async () =>
      (await readdir(join(worker.runFolder(run.id), 'checkpoints'))).filter((name) => name.startsWith('epoch-')).length;
    // What it keeps, what was to be stored when the store went, and five that it dropped.
    expect(await onDisk()).toBeLessThanOrEqual(10);
    await bringBack();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', epochs: { trained: 16 }, batches: { wasted: 0 } });
    const told = receipt.notes.filter((note) => note.startsWith('the store was unavailable, or slower'));
    expect(told).toHaveLength(1);
  });

  it('that is another one under the same address is refused with both named; the run waits for its own', async () => {
    worker = await hosts.worker();
    const { run, hold } = await held({ failures: { restarts: 0 } });
    await run.until('has its first epoch in the store', ({ checkpoints }) => checkpoints.some(({ stored }) => stored));
    await rename(hosts.store, `${hosts.store}-own`);
    await openStore(hosts.store).prepare(false);
    const other = await openStore(hosts.store).identity();
    await worker.kill();
    await hold.release();
    await worker.start();
    await run.until('is refused the other store, again and again', ({ restarts }) => {
      const refused = restarts.filter(({ failure }) => failure?.kind === 'otherStore');
      return refused.length > 1 && refused.every(({ failure }) => failure?.message.includes(`identity is ${other}`));
    });
    expect(await readdir(hosts.store)).toEqual([markName]);
    await rm(hosts.store, { recursive: true });
    await rename(`${hosts.store}-own`, hosts.store);
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', epochs: { trained: 2 } });
  });

  it('that is away while another host takes over: the run waits, and goes on from its checkpoint there', async () => {
    worker = await hosts.worker();
    const { run, hold } = await held({
      epochs: 4,
      failures: { restarts: 0 },
      deadlines: { heartbeatSeconds: 5, reattachSeconds: 1 },
    });
    await run.until('has its first epoch in the store', ({ checkpoints }) => checkpoints.some(({ stored }) => stored));
    const trainer = await run.trainer(worker);
    const bringBack = await takeAway(hosts.store);
    await worker.kill();
    await run.ends(trainer);
    worker = await hosts.worker();
    await run.waitsForStore();
    await bringBack();
    await hold.release();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 160 } });
    expect(receipt.restarts).toMatchObject([{ failure: { kind: 'hostLost' } }]);
    // The batch under way, and of those before it all that was told in time.
    expect(receipt.batches.wasted).toBeLessThanOrEqual(6);
  });

  it('that is away for good: the run ends as failed, its files kept on the host and named', async () => {
    worker = await hosts.worker();
    const { run, hold } = await held({ deadlines: { publishSeconds: 5 } });
    await run.until('has stored its first epoch', ({ checkpoints }) => checkpoints.some(({ stored }) => stored));
    await takeAway(hosts.store);
    await hold.release();
    const { how, receipt } = await run.closed();
    expect(how).toBe('failed');
    expect(receipt).toMatchObject({
      outcome: 'failed',
      cause: { failure: { kind: 'store' } },
      // What was stored, and read back, before the store went.
      checkpoints: [{ name: 'epoch-0001' }],
      files: [],
    });
    expect(receipt?.localFolder).toMatchObject({ kind: 'kept', host: worker.host, path: worker.runFolder(run.id) });
    expect(existsSync(join(worker.runFolder(run.id), 'checkpoints', 'epoch-0002', 'weights.json'))).toBe(true);
    expect((await worker.status()).slots.taken).toEqual([]);
  });

  it.skipIf(!can('chattr'))('that is read-only is waited for', async () => {
    worker = await hosts.worker();
    const { run, hold } = await held();
    run_('chattr', '-R', '+i', hosts.store);
    const writable = () => run_('chattr', '-R', '-i', hosts.store);
    undo.push(writable);
    await hold.release();
    await expectPatience(run, () => void writable());
  });

  it.skipIf(!can('mount'))('that is full is waited for', async () => {
    worker = await hosts.worker();
    const store = join(hosts.folder, 'small-store');
    await smallDisk(store, '512k');
    const { run, hold } = await held({ store });
    const ballast = join(store, 'ballast');
    await writeFile(ballast, Buffer.alloc(1 << 20)).catch(() => undefined); // until the disk is full
    await hold.release();
    await expectPatience(run, () => rm(ballast));
  });

  it('that is slower than the training holds nothing up, and has everything in the end', async () => {
    worker = await hosts.worker();
    const run = await hosts.start({
      epochs: 6,
      parameters: { batches: 5, checkpoint_bytes: 60_000_000 },
      checkpoints: { everyEpochs: 1 },
    });
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed' });
    expect(receipt.checkpoints).toHaveLength(6);
  });
});

describe('the disk of the run folders', () => {
  it.skipIf(!can('mount'))('is full: the run says so, and goes on when there is room', async () => {
    const data = join(hosts.folder, 'small-data');
    await smallDisk(data, '2m');
    worker = await hosts.worker({ dataFolder: data });
    const { run, hold } = await held({
      epochs: 3,
      failures: { restarts: 1000, backoffSeconds: 0.5, maxBackoffSeconds: 1 },
    });
    const ballast = join(data, 'ballast');
    await writeFile(ballast, Buffer.alloc(4 << 20)).catch(() => undefined);
    await hold.release();
    const view = await run.until('meets the full disk', ({ restarts }) => restarts.length > 1);
    expect(view.restarts.map(({ failure }) => `${failure?.kind} ${failure?.message}`).join()).toMatch(
      /dataDisk|disk is full/,
    );
    await rm(ballast);
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 120 } });
  });
});

describe('a damaged checkpoint', () => {
  const flipBit = async (path: string) => {
    const bytes = await readFile(path);
    bytes[5] = (bytes[5] ?? 0) ^ 1;
    await writeFile(path, bytes);
  };
  const paused = async () => {
    const hold = await hosts.hold('3:6');
    const run = await hosts.start({ epochs: 4, parameters: { ...slow, ...hold.parameters }, checkpoints: { last: 2 } });
    await hold.reached();
    await run.update('pause');
    const view = await run.until(
      'pauses with everything stored',
      ({ detail, checkpoints }) =>
        detail === 'training.paused' && checkpoints.length > 1 && checkpoints.every(({ stored }) => stored),
    );
    const names = view.checkpoints.map(({ name }) => name);
    expect(view.position).toEqual({ epoch: 2, batch: 6 });
    await hold.release();
    return { run, newest: names.at(-1) ?? '' };
  };

  it('on the host (truncated) is fetched from the store, and nothing is wasted', async () => {
    worker = await hosts.worker();
    const { run, newest } = await paused();
    await truncate(join(worker.runFolder(run.id), 'checkpoints', newest, 'weights.json'), 10);
    await run.update('resume');
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 160, wasted: 0 } });
  });

  it('on the host and in the store (a bit flipped): the one before it is used', async () => {
    worker = await hosts.worker();
    const { run, newest } = await paused();
    await flipBit(join(worker.runFolder(run.id), 'checkpoints', newest, 'weights.json'));
    await flipBit(join(run.outputFolder, 'checkpoints', newest, 'weights.json'));
    await run.update('resume');
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 160, wasted: 6 } });
  });

  it('in the store, with its host gone: another host uses the one before it', async () => {
    worker = await hosts.worker();
    const { run, newest } = await paused();
    await worker.kill();
    await flipBit(join(run.outputFolder, 'checkpoints', newest, 'weights.json'));
    worker = await hosts.worker();
    await run.update('resume');
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 160, wasted: 6 } });
  });

  it('on the host, before it was stored: the run lands the epoch before, and never completes without its result', async () => {
    worker = await hosts.worker();
    const hold = await hosts.hold('1:6');
    const parameters = { ...slow, ...hold.parameters };
    const run = await hosts.start({ epochs: 2, parameters, checkpoints: { last: 1 } });
    await hold.reached();
    // Nothing may be stored that is to be damaged: the store goes while nothing trains.
    await run.update('pause');
    await run.until('pauses', ({ detail }) => detail === 'training.paused');
    const bringBack = await takeAway(hosts.store);
    await hold.release();
    await run.update('resume');
    await run.publishesAgain();
    await flipBit(join(worker.runFolder(run.id), 'checkpoints', 'epoch-0002', 'weights.json'));
    await bringBack();
    const { how, receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(how).toBe('failed');
    expect(receipt).toMatchObject({
      outcome: 'failed',
      cause: { failure: { kind: 'checkpointLost', message: expect.stringContaining('epoch-0002') } },
      epochs: { trained: 1 },
      best: { epoch: 1 },
      metrics: receipt.checkpoints[0]?.metrics,
      checkpoints: [{ name: 'epoch-0001', reasons: ['best', 'last', 'resume'] }],
      localFolder: { kind: 'kept' },
      notes: [expect.stringMatching(/^epoch-0002 was damaged/)],
    });
    // What could be landed is: the log tells what happened.
    expect(receipt.files.map(({ path }) => path)).toContain('logs/trainer.log');
    expect(existsSync(join(worker.runFolder(run.id), 'damaged', 'epoch-0002', 'weights.json'))).toBe(true);
  });

  it('on the host, before it was stored, while the training goes on: it is put aside, and the one before is used', async () => {
    worker = await hosts.worker();
    const hold = await hosts.hold('2:6', '3:10');
    // Its first epoch stays the best.
    const parameters = { ...slow, ...hold.parameters, score_peak: 1 };
    const run = await hosts.start({ epochs: 4, parameters, checkpoints: { last: 1 } });
    await hold.reached('2:6');
    await run.update('pause');
    const { checkpoints, position } = await run.until(
      'pauses with everything stored',
      ({ detail, checkpoints }) => detail === 'training.paused' && checkpoints.every(({ stored }) => stored),
    );
    expect(position.epoch).toBe(1);
    const before = checkpoints.at(-1)?.name ?? '';
    const bringBack = await takeAway(hosts.store);
    await hold.release('2:6');
    await run.update('resume');
    const names = (view: RunView) => view.checkpoints.map(({ name }) => name);
    const trained = await run.until('has trained epoch 2', (view) => names(view).includes('epoch-0002'));
    expect(trained.checkpoints).toMatchObject([{}, { name: before, reasons: ['fallback'] }, { stored: false }]);
    await hold.reached('3:10');
    await flipBit(join(worker.runFolder(run.id), 'checkpoints', 'epoch-0002', 'weights.json'));
    await bringBack();
    const without = await run.until('gives the damaged one up', (view) => !names(view).includes('epoch-0002'));
    expect(without.checkpoints.at(-1)).toMatchObject({ name: before, stored: true, reasons: ['resume'] });
    expect(existsSync(join(worker.runFolder(run.id), 'damaged', 'epoch-0002'))).toBe(true);
    expect(existsSync(join(run.outputFolder, 'checkpoints', before))).toBe(true);
    process.kill((await run.trainer(worker)).pid, 'SIGKILL');
    await hold.release('3:10');
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({
      outcome: 'completed',
      batches: { trained: 160 },
      checkpoints: [{ name: 'epoch-0001' }, { name: 'epoch-0004' }],
      restarts: [{ failure: { kind: 'trainerKilled' } }],
      localFolder: { kind: 'removed' },
      notes: [expect.stringMatching(/^epoch-0002 was damaged/)],
    });
    // From there to where it was killed.
    expect(receipt.batches.wasted).toBeLessThan(40 - position.batch + 10);
  });
});

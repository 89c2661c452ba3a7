/** A trainer that hangs, wherever it does, or ignores what it is asked: noticed, ended, and what it saved is published. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { groupMembers } from '../../worker/process-groups.ts';
import { checkLanded } from './check-landed.ts';
import { FaultHosts, type FaultWorker } from './fault-host.ts';
import type { FaultRun } from './fault-run.ts';

let hosts: FaultHosts;
let worker: FaultWorker;
beforeAll(async () => {
  hosts = await FaultHosts.open(inject('temporalAddress'));
  worker = await hosts.worker({ slots: 4 });
});
afterAll(() => hosts?.close());

const atOnce = { restarts: 2, backoffSeconds: 0, maxBackoffSeconds: 0 };
/** A trainer reports its batches ten times a second: each of these, so that what is wasted is known exactly. */
const told = { batches: 12, batch_seconds: 0.11 };

const shortPatience = {
  // Longer than a busy machine holds up a trainer that does not hang.
  hangFloorSeconds: 15,
  hangCeilingSeconds: 20,
  setUpSeconds: 120,
  stopSeconds: 3,
  terminateSeconds: 5,
};

describe.concurrent('a trainer that hangs', () => {
  const hanging = (at: string, kind = 'hang', deadlines: object = shortPatience): Promise<FaultRun> =>
    hosts.start({
      epochs: 3,
      parameters: { batches: 8, batch_seconds: 0.11, validation_batches: 3, fail_at: at, fail_kind: kind },
      failures: atOnce,
      deadlines,
    });
  const expectUnstuck = async (run: FaultRun) => {
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', restarts: [{ failure: { kind: 'hang' } }] });
    await expectStacks(run);
    return receipt;
  };

  /** Where it hung is in the log that landed. */
  const expectStacks = async (run: FaultRun) =>
    expect(await readFile(join(run.outputFolder, 'logs', 'trainer.log'), 'utf8')).toMatch(
      /most recent call first[\s\S]*counter\.py/,
    );

  it('in a training batch is noticed, ended, and started again', async ({ expect }) => {
    expect((await expectUnstuck(await hanging('2:7'))).batches).toMatchObject({ trained: 24, wasted: 6 });
  });

  it('in validation is noticed, ended, and started again', async ({ expect }) => {
    expect((await expectUnstuck(await hanging('2:v2'))).batches).toMatchObject({ trained: 24, wasted: 8 });
  });

  it('while it sets up is noticed, ended, and started again', async () => {
    await expectUnstuck(await hanging('set_up', 'hang', { ...shortPatience, setUpSeconds: 30 }));
  });

  it('while it saves is noticed, ended, and started again', async ({ expect }) => {
    expect((await expectUnstuck(await hanging('2:3', 'save_hang'))).batches).toMatchObject({ trained: 24, wasted: 8 });
  });

  it('in each of its saves fails, and nothing of it is taken for a checkpoint', async ({ expect }) => {
    const run = await hosts.start({
      epochs: 3,
      parameters: { batches: 10, save_seconds: 3600 },
      failures: { ...atOnce, restarts: 0 },
      deadlines: shortPatience,
    });
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'failed', cause: { failure: { kind: 'hang' } }, epochs: { trained: 0 } });
    expect(receipt.checkpoints).toEqual([]);
  });

  it('after its last epoch is ended, and what it trained landed', async ({ expect }) => {
    const run = await hosts.start({
      epochs: 2,
      parameters: { finish_seconds: 3600 },
      deadlines: { ...shortPatience, finishSeconds: 3 },
    });
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'failed', cause: { failure: { kind: 'hang' } }, epochs: { trained: 2 } });
    await expectStacks(run);
  });

  it('and ignores every request is killed with all its children', async ({ expect }) => {
    const run = await hosts.start({
      epochs: 5,
      parameters: { ignore_stop: '2:3', ignore_sigterm: true, children: 3, ...told },
      deadlines: { stopSeconds: 1, terminateSeconds: 1 },
    });
    await run.reaches(2, 2);
    await run.until('has the checkpoint of epoch 1', ({ position }) => position.epoch === 1);
    const trainer = await run.trainer(worker);
    expect((await groupMembers(trainer.pid)).length).toBeGreaterThan(3);
    await run.update('stop', { mode: 'batch' });
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'stopped', processGroupGone: true, epochs: { trained: 1 } });
    expect(receipt.batches).toMatchObject({ trained: 12, wasted: 2 });
    expect(await groupMembers(trainer.pid)).toEqual([]);
  });

  it('is killed at once by a second and a third stop, whatever its deadlines', async ({ expect }) => {
    const run = await hosts.start({
      epochs: 5,
      parameters: { ignore_stop: '1:3', ignore_sigterm: true, children: 1, batches: 100 },
      deadlines: { stopSeconds: 3600, terminateSeconds: 3600 },
    });
    await run.reaches(1, 1);
    await run.trainer(worker);
    for (let stop = 0; stop < 3; stop++) await run.update('stop', { mode: 'batch' });
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'stopped', epochs: { trained: 0 } });
  });
});

/**
 * The lives of a run: Temporal's Reset gives its id another one, and so does another namespace with the same store. No life
 * touches what another one left, each lands, and its receipt is about itself.
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from '@temporalio/client';
import Long from 'long';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { viewText } from '../../client/cli/run-text.ts';
import { TrainingClient } from '../../client/training-client.ts';
import { lifeText, placeMemo, placeOf } from '../../contracts/life.ts';
import { type Receipt, receiptSchema } from '../../contracts/receipt.ts';
import { type RunView, trainingRunType } from '../../contracts/run-messages.ts';
import { salvageId } from '../../contracts/salvage-messages.ts';
import { Upkeep } from '../../worker/upkeep.ts';
import { Hold } from '../faults/hold.ts';
import { contentOf } from '../support/content-of.ts';
import { resetRun } from '../support/reset-run.ts';
import { TestHost, TestRun, testLog } from '../support/test-host.ts';
import { until } from '../support/until.ts';
import { startWorkerWithControl } from '../support/worker-with-control.ts';

let host: TestHost;
beforeAll(async () => {
  host = await TestHost.start({ slots: 3 });
});
afterAll(() => host?.stop());

/** Six epochs, and a trainer that waits where it is to be reset; every checkpoint is kept for good. */
const held = (hold: Hold) => ({
  epochs: 6,
  parameters: { batches: 10, batch_seconds: 0.01, ...hold.parameters },
  checkpoints: { everyEpochs: 1 },
});
const holdAt = (...places: string[]) => Hold.at(host.settings.dataFolder, places);
const hasStored =
  (epochs: number) =>
  ({ checkpoints }: RunView) =>
    checkpoints.filter(({ stored }) => stored).length >= epochs;
const outputOf = (place: string) => join(host.settings.store, 'experiments', 'default', place);
const folderOf = (place: string) => join(host.settings.dataFolder, 'runs', place);
const checkpointsOf = async (place: string) => (await readdir(join(outputOf(place), 'checkpoints'))).sort();
const receiptAt = async (place: string): Promise<Receipt> =>
  receiptSchema.parse(JSON.parse(await readFile(join(outputOf(place), 'receipt.json'), 'utf8')));
const lifeOf = (run: string, execution: string) => new TestRun(host.client.workflow.getHandle(run, execution));
const salvaged = (place: string) =>
  until(`${place} is salvaged`, () =>
    host.client.workflow
      .getHandle(salvageId(place))
      .result()
      .catch(() => null),
  ) as Promise<Receipt>;

/** Nothing of it but its checkpoints may differ: a landing that is made again tells when. */
async function checkpointContent(place: string): Promise<Record<string, string>> {
  return contentOf(join(outputOf(place), 'checkpoints'));
}

describe('a run that is reset while it trains', () => {
  it('to its first workflow task: begins anew beside what the life before left, which lands', async () => {
    const hold = await holdAt('4:5');
    const run = await host.start(host.config(held(hold)));
    await hold.reached();
    await run.until('has stored its epochs', hasStored(3));
    const kept = await checkpointContent(run.id);
    const execution = await resetRun(host.client, run.id, 'first');
    await hold.release();
    const place = placeOf(run.id, [execution]);
    const receipt = await lifeOf(run.id, execution).result();
    expect(receipt).toMatchObject({ outcome: 'completed', outputFolder: outputOf(place), epochs: { trained: 6 } });
    expect(await receiptAt(place)).toEqual(receipt);
    expect((await lifeOf(run.id, execution).handle.describe()).memo).toMatchObject({ [placeMemo]: place });
    const before = await salvaged(run.id);
    expect(before.outcome).toBe('salvaged');
    expect(before.checkpoints.length).toBeGreaterThanOrEqual(3);
    expect(await checkpointContent(run.id)).toMatchObject(kept);
    expect(existsSync(folderOf(run.id)) || existsSync(folderOf(place))).toBe(false);
  });

  it('to the middle: goes on from what its history knows, in a place of its own, and says so', async () => {
    const hold = await holdAt('4:5');
    const run = await host.start(host.config(held(hold)));
    await hold.reached();
    await run.until('has stored its epochs', hasStored(3));
    const execution = await resetRun(host.client, run.id, 'last');
    await hold.release();
    const life = lifeOf(run.id, execution);
    const place = placeOf(run.id, [execution]);
    const receipt = await life.result();
    expect(receipt).toMatchObject({ outcome: 'completed', outputFolder: outputOf(place), epochs: { trained: 6 } });
    expect(receipt.notes.join('\n')).toContain(`the files of the previous one stay in ${outputOf(run.id)}`);
    const view = await new TrainingClient(host.client).view(run.id);
    expect(lifeText(view)).toBe(`${place}: ${receipt.notes.find((note) => note.includes('another life'))}`);
    expect(viewText(view)).toContain(`the files of the previous one stay in ${outputOf(run.id)}`);
    // What was trained before the reset is not trained again.
    expect(receipt.batches.trained).toBe(60);
    expect(receipt.batches.wasted).toBe(0);
    expect(await checkpointsOf(place)).toEqual([1, 2, 3, 4, 5, 6].map((epoch) => `epoch-000${epoch}`));
    const rows = (await readFile(join(outputOf(place), 'metrics.jsonl'), 'utf8')).trim().split('\n');
    expect(rows.map((row) => JSON.parse(row).epoch)).toEqual([1, 2, 3, 4, 5, 6]);
    const before = await salvaged(run.id);
    expect(before.checkpoints.map(({ name }) => name)).toEqual(await checkpointsOf(run.id));
  });

  it('to before a pause, and terminated: each life has a receipt of what it left', async () => {
    const hold = await holdAt('2:5', '4:5');
    const run = await host.start(host.config(held(hold)));
    await hold.reached('2:5');
    await run.update('pause');
    await run.until('is paused', ({ detail }) => detail === 'training.paused');
    await hold.release('2:5');
    await run.update('resume');
    await hold.reached('4:5');
    await run.until('has gone on', ({ position }) => position.epoch >= 3);
    const execution = await resetRun(host.client, run.id, { before: 'pause' }, { again: false });
    const life = lifeOf(run.id, execution);
    const place = placeOf(run.id, [execution]);
    await life.until('has gone on, too', ({ position, place: at }) => at === place && position.epoch >= 2);
    await life.handle.terminate('by hand');
    const [first, second] = await Promise.all([salvaged(run.id), salvaged(place)]);
    expect(first.epochs.trained).toBeGreaterThanOrEqual(3);
    expect(second.epochs.trained).toBeGreaterThanOrEqual(2);
    expect(second.outputFolder).toBe(outputOf(place));
    for (const [at, receipt] of [
      [run.id, first],
      [place, second],
    ] as const) {
      expect(receipt.checkpoints.map(({ name }) => name)).toEqual(await checkpointsOf(at));
      expect(existsSync(folderOf(at))).toBe(false);
    }
  });
});

describe('a run whose folder says no more whose it is', () => {
  it('goes on in a place of its own, its trainer ended; where that is told the same, it ends', async () => {
    // More epochs than it comes to, however slow the machine.
    const parameters = { batches: 10, batch_seconds: 0.05 };
    const failures = { restarts: 1, backoffSeconds: 0.1 };
    const run = await host.start(host.config({ epochs: 1_000, parameters, failures }));
    const spoil = (place: string) => writeFile(join(folderOf(place), 'run.json'), 'nothing');
    await run.until('has stored an epoch', ({ checkpoints }) => checkpoints.some(({ stored }) => stored));
    await spoil(run.id);
    const { place } = await run.until('has moved', (view) => view.place !== run.id && view.session !== null);
    expect(host.worker.host.sessions.isLive(run.id)).toBe(false);
    await spoil(place as string);
    const failure = await run.result().catch((error: { cause?: { details?: unknown[] } }) => error.cause?.details?.[0]);
    const receipt = receiptSchema.parse(failure);
    expect(receipt).toMatchObject({ outcome: 'failed', outputFolder: outputOf(place as string) });
    expect(JSON.stringify(receipt.cause)).toContain('belongs to another life of this run');
    expect(host.worker.host.sessions.isLive(place as string)).toBe(false);
    const { length } = (await run.handle.fetchHistory()).events ?? [];
    expect(length).toBeLessThan(1_000);
  });
});

describe('a run that is over, and is reset', () => {
  it('lands in another place, from wherever it was reset: what it had landed stays byte for byte', async () => {
    const run = await host.start(host.config({ epochs: 3, checkpoints: { everyEpochs: 1 } }));
    expect(await run.result()).toMatchObject({ outcome: 'completed' });
    const landed = await contentOf(outputOf(run.id));
    const { runId: first } = await run.handle.describe();
    // Its last workflow task has nothing left to do but to close: it is the same end again.
    const again = await resetRun(host.client, run.id, 'last', { execution: first });
    expect(await lifeOf(run.id, again).result()).toEqual(await receiptAt(run.id));
    for (const point of [
      { before: 'cleanUp' },
      { before: 'publish' },
      { before: 'keepCheckpoints' },
      'first',
    ] as const) {
      const execution = await resetRun(host.client, run.id, point, { execution: first });
      const receipt = await lifeOf(run.id, execution).result();
      const place = placeOf(run.id, [execution]);
      expect(receipt, JSON.stringify(point)).toMatchObject({ outcome: 'completed', outputFolder: outputOf(place) });
      expect(await receiptAt(place)).toEqual(receipt);
      expect(receipt.checkpoints.map(({ name }) => name)).toEqual(await checkpointsOf(place));
      expect(await contentOf(outputOf(run.id))).toEqual(landed);
    }
  });
});

describe('the same run id in two namespaces with one store', () => {
  it('lands in two places; a worker of one leaves the run folders of the other alone', async () => {
    const hold = await holdAt('2:5');
    const run = await host.start(host.config(held(hold)));
    await hold.reached();
    const namespace = `other-${randomUUID().slice(0, 8)}`;
    await host.connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: Long.fromNumber(24 * 3600) },
    });
    const settings = { ...host.settings, dataFolder: `${host.settings.dataFolder}/other` };
    const other = await until('the namespace is known everywhere', () =>
      startWorkerWithControl({
        settings,
        log: testLog(),
        temporal: { address: inject('temporalAddress'), namespace },
      }).catch(() => null),
    );
    try {
      const client = new Client({ connection: host.connection, namespace });
      const handle = await client.workflow.start(trainingRunType, {
        workflowId: run.id,
        taskQueue: settings.workflowQueue,
        args: [{ config: host.config(held(hold)) }],
      });
      const place = placeOf(run.id, [handle.firstExecutionRunId]);
      await until('it has a place of its own', () => existsSync(join(settings.dataFolder, 'runs', place, 'run.json')));
      await hold.release();
      const [mine, theirs] = await Promise.all([run.result(), handle.result() as Promise<Receipt>]);
      expect([mine.outputFolder, theirs.outputFolder]).toEqual([outputOf(run.id), outputOf(place)]);
      for (const receipt of [mine, theirs]) expect(receipt).toMatchObject({ outcome: 'completed' });
      expect(await receiptAt(run.id)).toEqual(mine);
      expect(await receiptAt(place)).toEqual(theirs);
    } finally {
      await other.stopNow();
    }
    const again = await holdAt('2:5');
    const open = await host.start(host.config(held(again)));
    await again.reached();
    // A worker of another namespace, with this data folder.
    const { runs } = host.worker.host;
    const foreign = Object.assign(Object.create(runs), { namespace: 'another', isOpen: () => false });
    const before = await contentOf(folderOf(open.id));
    await new Upkeep({ ...host.worker.host, runs: foreign }).round();
    expect(Object.keys(await contentOf(folderOf(open.id)))).toEqual(expect.arrayContaining(Object.keys(before)));
    await expect(host.client.workflow.getHandle(salvageId(open.id)).describe()).rejects.toThrow();
    await again.release();
    expect(await open.result()).toMatchObject({ outcome: 'completed' });
  });
});

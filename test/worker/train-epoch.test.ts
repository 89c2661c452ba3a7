/** A trainer that ends early: its run asks for no epoch for ever, and ends no session that has landed all. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { trainEpoch } from '../../activities/train-epoch.ts';
import type { EarlyEnd } from '../../contracts/protocol.ts';
import type { TrainEpochInput } from '../../contracts/run-activities.ts';
import type { Host } from '../../worker/host.ts';
import { type RunFolder, RunFolders } from '../../worker/run-folders.ts';
import { readReport } from '../../worker/run-report.ts';
import { WatchedRuns } from '../../worker/watched-runs.ts';

let data: string;
let folder: RunFolder;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'train-epoch-'));
  folder = await new RunFolders(data).make('r');
});
afterEach(() => rm(data, { recursive: true, force: true }));

/** As a trainer leaves it: the checkpoint of a complete epoch. */
function landEpoch(epoch: number): void {
  const name = `epoch-${String(epoch).padStart(4, '0')}`;
  const path = join(folder.checkpoints, name);
  mkdirSync(path, { recursive: true });
  const manifest = { name, epoch, batch: 0, metrics: {}, files: [], createdAt: new Date().toISOString(), session: 's' };
  writeFileSync(join(path, 'checkpoint.json'), JSON.stringify(manifest));
}

/** Asks `session` for an epoch. */
function ask(session: object, epoch: number, ended: string[] = []) {
  const sessions = { findOwn: async () => session, endRun: async (place: string) => void ended.push(place) };
  const known = { epoch: epoch - 1, checkpoints: [] };
  const run = { run: 'r', place: 'r', chain: ['e'], config: {}, session: { id: 's' } };
  const input = { ...run, epoch, through: epoch + 1, known } as unknown as TrainEpochInput;
  const host = { sessions, watched: new WatchedRuns() };
  return new MockActivityEnvironment().run(trainEpoch(host as unknown as Host), input);
}

it('answers with what it read, though its trainer ended early while it was read', async () => {
  landEpoch(1);
  let endedEarly: EarlyEnd | null = null;
  const ended: string[] = [];
  const session = {
    id: 's',
    folder: {
      ...folder,
      get metrics() {
        endedEarly = { epoch: 2, reason: 'enough' };
        return folder.metrics;
      },
    },
    get endedEarly() {
      return endedEarly;
    },
    meter: { current: { doing: 'train' } },
    grant: () => undefined,
    touch: () => undefined,
    waitEpochOrCheckpoint: async () => undefined,
  };
  await expect(ask(session, 1, ended)).resolves.toMatchObject({ position: { epoch: 1, batch: 0 } });
  expect(endedEarly).not.toBeNull();
  expect(ended).toEqual([]);
});

it('tells of no early end before its checkpoint, though both come while it reads', async () => {
  landEpoch(1);
  const event = { type: 'endedEarly', epoch: 2, reason: 'enough' };
  const watched = {
    ...folder,
    get events() {
      landEpoch(2);
      appendFileSync(folder.events, `${JSON.stringify({ session: 's', at: new Date().toISOString(), event })}\n`);
      return folder.events;
    },
  };
  const report = await readReport(watched, { epoch: 0, checkpoints: [] }, 's');
  expect(report).toMatchObject({ endedEarly: { epoch: 2 }, position: { epoch: 2 } });
});

it('ends a session whose trainer ended early after an epoch that it did not save', async () => {
  const ended: string[] = [];
  const known = { epoch: 2, checkpoints: [] };
  const session = {
    id: 's',
    folder,
    endedEarly: { epoch: 3, reason: 'enough' },
    preempted: false,
    meter: { current: { doing: 'train' } },
    grant: () => undefined,
    touch: () => undefined,
    waitEpochOrCheckpoint: async () => undefined,
    end: async () => ({ report: await readReport(folder, known, 's'), failure: null, gpuMemoryReleased: null }),
  };
  await expect(ask(session, 3, ended)).rejects.toMatchObject({
    type: 'SessionFailed',
    details: [{ failure: { kind: 'checkpointLost', message: expect.stringContaining('after epoch 3') }, isOver: true }],
  });
  expect(ended).toEqual(['r']);
});

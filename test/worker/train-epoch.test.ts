/** An early end that left no checkpoint: the run is told, and does not ask for its epoch for ever. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { trainEpoch } from '../../activities/train-epoch.ts';
import type { TrainEpochInput } from '../../contracts/run-activities.ts';
import type { Host } from '../../worker/host.ts';
import { type RunFolder, RunFolders } from '../../worker/run-folders.ts';
import { readReport } from '../../worker/run-report.ts';

let data: string;
let folder: RunFolder;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'train-epoch-'));
  folder = await new RunFolders(data).make('r');
});
afterEach(() => rm(data, { recursive: true, force: true }));

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
    spokenTo: () => undefined,
    waitEpochOrCheckpoint: async () => undefined,
    end: async () => ({ report: await readReport(folder, known, 's'), failure: null, gpuMemoryReleased: null }),
  };
  const sessions = { findOwn: async () => session, endRun: async (place: string) => void ended.push(place) };
  const input = { run: 'r', place: 'r', chain: ['e'], config: {}, session: { id: 's' }, epoch: 3, through: 4, known };
  const activity = trainEpoch({ sessions } as unknown as Host);
  const asked = new MockActivityEnvironment().run(activity, input as unknown as TrainEpochInput);
  await expect(asked).rejects.toMatchObject({
    type: 'SessionFailed',
    details: [{ failure: { kind: 'checkpointLost', message: expect.stringContaining('after epoch 3') } }],
  });
  expect(ended).toEqual(['r']);
});

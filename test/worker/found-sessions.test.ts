/** A session that ended while no worker was there: the next worker tells how, as often as its run asks. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { trainEpoch } from '../../activities/train-epoch.ts';
import type { Life } from '../../contracts/life.ts';
import { protocolVersion } from '../../contracts/protocol.ts';
import type { OpenSessionInput, TrainEpochInput } from '../../contracts/run-activities.ts';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { AllowedPaths } from '../../worker/allowed-paths.ts';
import { claimFolder } from '../../worker/claims.ts';
import { leftSession } from '../../worker/found-sessions.ts';
import type { Host } from '../../worker/host.ts';
import { processLauncher } from '../../worker/launchers/process.ts';
import { RunFolders } from '../../worker/run-folders.ts';
import { Sessions, type SessionsParts } from '../../worker/sessions.ts';
import { Slots } from '../../worker/slots.ts';
import { Stores } from '../../worker/stores.ts';
import { WatchedRuns } from '../../worker/watched-runs.ts';

const life: Life = { namespace: 'n', chain: ['e'] };
const config = runConfigSchema.parse({ run: 'r', trainer: 'counter', epochs: 3 });
const known = { epoch: 0, checkpoints: [] };
const another = 'no trainer counter on h';

/** As a worker finds it that starts after its trainer has ended: what that said, and by what signal it ended. */
async function found(said: readonly object[], signal: string | null = null) {
  const data = await mkdtemp(join(tmpdir(), 'found-'));
  onTestFinished(() => rm(data, { recursive: true, force: true }));
  const folders = new RunFolders(data);
  const folder = await folders.make('r');
  await claimFolder(folder, { config }, 'h', life);
  const trainer = spawn('true');
  await once(trainer, 'exit');
  const end = { code: signal ? null : 0, signal, outOfMemory: false, unattended: false };
  const file = {
    ...{ run: 'r', session: 's', generation: 4, runFolder: folder.path, epochs: 3, endsAfter: null, parameters: {} },
  };
  const left = {
    [folder.process]: { session: 's', pid: trainer.pid, startTicks: '1' },
    [folder.exit]: { session: 's', ...end },
    [folder.session]: {
      ...{ ...file, protocol: protocolVersion, data: null, seed: 1, everyBatches: 0, resumeFrom: null },
      ...{ keepProgress: true, batchDivisor: 1, socket: join(data, 'socket') },
    },
  };
  for (const [path, content] of Object.entries(left)) await writeFile(path, `${JSON.stringify(content)}\n`);
  for (const event of [{ type: 'ready', resumedFrom: null }, ...said]) {
    await appendFile(folder.events, `${JSON.stringify({ session: 's', at: new Date().toISOString(), event })}\n`);
  }
  const checkpoint = join(folder.checkpoints, 'epoch-0001');
  const manifest = {
    name: 'epoch-0001',
    epoch: 1,
    batch: 0,
    metrics: {},
    files: [],
    createdAt: '2026-01-01T00:00:00Z',
  };
  await mkdir(checkpoint, { recursive: true });
  await writeFile(join(checkpoint, 'checkpoint.json'), JSON.stringify({ ...manifest, session: 's' }));

  const sessions = new Sessions({
    ...{ id: 'h', log: pino({ level: 'silent' }), folders, slots: new Slots(1), launcher: processLauncher },
    ...{ stores: new Stores(join(data, 'store'), data), allowedPaths: new AllowedPaths(null) },
    ...{ sessionIdleSeconds: 60, runs: { life: () => life }, trainers: { find: async () => null } },
  } as unknown as SessionsParts);
  const session = await leftSession(folder, () => false);
  if (session?.kind !== 'found') throw new Error('it was not found');
  expect(await sessions.takeUp(session)).toBe(true);
  const live = sessions.find('r', 's');
  if (!live) throw new Error('it was not taken up');
  await live.over;
  return { sessions, live };
}

const open = (sessions: Sessions, unseen: boolean) => {
  const input = { run: 'r', place: 'r', chain: ['e'], config, previous: { id: 's' }, notAfter: null, known, unseen };
  return sessions.open(input as unknown as OpenSessionInput, {
    ...{ byPermit: false, signal: new AbortController().signal, onProgress: () => undefined },
  });
};

const stopped = { type: 'stopped', epoch: 3, batch: 0, batchesAfterStop: 0, finished: true };

it.each([
  ['killed', [], 'SIGKILL', { failure: { kind: 'trainerKilled', exit: { signal: 'SIGKILL' } }, finished: false }],
  ['done', [stopped], null, { failure: null, finished: true }],
  ['alone for long', [{ ...stopped, finished: false, unattended: true }], null, { failure: { kind: 'workerLost' } }],
] as const)(
  'is given back to a run that gave it up, also where the first answer did not reach it, and tells its end: %s',
  async (_, said, signal, expected) => {
    const { sessions, live } = await found(said, signal);
    for (let times = 0; times < 2; times++) {
      expect(await open(sessions, true)).toMatchObject({ session: { id: 's', generation: 4 }, attached: true });
      expect(await live.end(known)).toMatchObject(expected);
    }
    // Who knows how it ended wants another one.
    await expect(open(sessions, false)).rejects.toThrow(another);
  },
);

it('is not given back where this host has ended it, for its run asked for nothing more', async () => {
  const { sessions, live } = await found([stopped]);
  live.isAbandoned = true;
  await expect(open(sessions, true)).rejects.toThrow(another);
});

it('tells of an early end that no worker heard of, with the checkpoint that it ended with', async () => {
  const { sessions } = await found([{ type: 'endedEarly', epoch: 1, reason: 'enough' }, stopped]);
  const asked = { run: 'r', place: 'r', chain: ['e'], config, session: { id: 's' }, epoch: 2, through: 3, known };
  const host = { sessions, watched: new WatchedRuns() } as unknown as Host;
  const report = await new MockActivityEnvironment().run(trainEpoch(host), asked as unknown as TrainEpochInput);
  expect(report).toMatchObject({ position: { epoch: 1 }, endedEarly: { epoch: 1, reason: 'enough' } });
});

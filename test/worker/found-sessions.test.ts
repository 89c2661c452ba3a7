/** A session that ended while no worker was there: the next worker tells how, as often as its run asks. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import type { Life } from '../../contracts/life.ts';
import { protocolVersion } from '../../contracts/protocol.ts';
import type { OpenSessionInput } from '../../contracts/run-activities.ts';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { AllowedPaths } from '../../worker/allowed-paths.ts';
import { claimFolder } from '../../worker/claims.ts';
import { leftSession } from '../../worker/found-sessions.ts';
import { processLauncher } from '../../worker/launchers/process.ts';
import { RunFolders } from '../../worker/run-folders.ts';
import { Sessions, type SessionsParts } from '../../worker/sessions.ts';
import { Slots } from '../../worker/slots.ts';
import { Stores } from '../../worker/stores.ts';

const stopped = { type: 'stopped', epoch: 3, batch: 0, batchesAfterStop: 0, finished: true };
const inVain = { ...stopped, epoch: 1, finished: false, unattended: true };

it.each([
  ['killed', 'SIGKILL', [], { failure: { kind: 'trainerKilled', exit: { signal: 'SIGKILL' } }, finished: false }],
  ['done', null, [stopped], { failure: null, finished: true }],
  ['waiting in vain', null, [inVain], { failure: { kind: 'workerLost' }, finished: false }],
] as const)(
  'is given back to a run that has given it up, also where the first answer did not reach it, and tells its end: %s',
  async (_, signal, said, expected) => {
    const data = await mkdtemp(join(tmpdir(), 'found-'));
    onTestFinished(() => rm(data, { recursive: true, force: true }));
    const config = runConfigSchema.parse({ run: 'r', trainer: 'counter', epochs: 3 });
    const life: Life = { namespace: 'n', chain: ['e'] };
    const folders = new RunFolders(data);
    const folder = await folders.make('r');
    await claimFolder(folder, { config }, 'h', life);
    const trainer = spawn('true');
    await once(trainer, 'exit');
    const end = { code: signal ? null : 0, signal, outOfMemory: false, unattended: false };
    const file = { ...{ run: 'r', session: 's', runFolder: folder.path, epochs: 3, endsAfter: null, parameters: {} } };
    const left = {
      [folder.process]: { session: 's', pid: trainer.pid, startTicks: '1' },
      [folder.exit]: { session: 's', ...end },
      [folder.session]: {
        ...{ ...file, protocol: protocolVersion, data: null, seed: 1, everyBatches: 0, resumeFrom: null },
        ...{ keepProgress: true, batchDivisor: 1, socket: join(data, 'socket') },
      },
      [folder.events]: { session: 's', at: new Date().toISOString(), event: { type: 'ready', resumedFrom: null } },
    };
    for (const [path, content] of Object.entries(left)) await writeFile(path, `${JSON.stringify(content)}\n`);
    for (const event of said) {
      await appendFile(folder.events, `${JSON.stringify({ session: 's', at: new Date().toISOString(), event })}\n`);
    }

    const sessions = new Sessions({
      ...{ id: 'h', log: pino({ level: 'silent' }), folders, slots: new Slots(1), launcher: processLauncher },
      ...{
        stores: new Stores(join(data, 'store'), data),
        allowedPaths: new AllowedPaths(null),
        sessionIdleSeconds: 60,
      },
      runs: { life: () => life },
      trainers: { find: async () => null },
    } as unknown as SessionsParts);
    const found = await leftSession(folder, () => false);
    if (found?.kind !== 'found') throw new Error('it was not found');
    expect(await sessions.takeUp(found)).toBe(true);
    await sessions.find('r', 's')?.over;

    const input = { run: 'r', place: 'r', chain: ['e'], config, previous: { id: 's' }, notAfter: null };
    const known = { epoch: 0, checkpoints: [] };
    const open = (unseen: boolean) =>
      sessions.open({ ...input, known, unseen } as unknown as OpenSessionInput, {
        ...{ byPermit: false, signal: new AbortController().signal, onProgress: () => undefined },
      });
    for (let times = 0; times < 2; times++) {
      expect(await open(true)).toMatchObject({ session: { id: 's' }, attached: true });
      expect(await sessions.find('r', 's')?.end(known)).toMatchObject(expected);
    }
    // Who knows how it ended wants another one, and so does whose trainer this host has ended for it.
    const another = 'no trainer counter on h';
    await expect(open(false)).rejects.toThrow(another);
    Object.assign(sessions.find('r', 's') ?? {}, { isAbandoned: true });
    await expect(open(true)).rejects.toThrow(another);
  },
);

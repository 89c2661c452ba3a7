/** Who ends a trainer that cannot end itself: a guard when its worker is lost, and the marker of what left its group. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endEscaped, escapedNote } from '../../worker/escaped-processes.ts';
import { groupMembers, identify, markedProcesses, residentBytes } from '../../worker/process-groups.ts';
import { findPython } from '../../worker/python-tools.ts';
import { type RunFolder, RunFolders } from '../../worker/run-folders.ts';
import { TrainerGuard } from '../../worker/trainer-guard.ts';

let data: string;
let folder: RunFolder;
let trainer: ChildProcess;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'epochal-guard-'));
  folder = await new RunFolders(data).make('guarded');
  await writeFile(folder.events, '');
});
afterEach(async () => {
  for (const pid of await everybody()) process.kill(pid, 'SIGKILL');
  await rm(data, { recursive: true, force: true });
});

/** Ignores SIGTERM, as one that holds its GIL does, and has a child in its group and one that left it. */
const hung = 'trap "" TERM; sleep 1000 & setsid -f sleep 1000; echo ready; while :; do sleep 1000; done';

async function start(script: string): Promise<number> {
  trainer = spawn('sh', ['-c', script], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: process.env.PATH, EPOCHAL_SESSION: folder.session, EPOCHAL_SESSION_ID: 'one' },
  });
  if (!trainer.stdout || !trainer.pid) throw new Error('no trainer');
  await once(trainer.stdout, 'data');
  return trainer.pid;
}

const everybody = async () => [
  ...(trainer.pid ? await groupMembers(trainer.pid) : []),
  ...((await markedProcesses(folder.session)) ?? []).map(({ pid }) => pid),
];

async function guarded(pid: number, session = 'one'): Promise<TrainerGuard> {
  const { path } = await findPython();
  const guard = new TrainerGuard(path, folder, session, { stopSeconds: 0.2, terminateSeconds: 0.2 });
  guard.watch(await identify(pid));
  return guard;
}

// Without /proc nobody finds what left the group.
describe.skipIf(process.platform !== 'linux')('a guard', () => {
  it.each(['hung', 'stopped'])(
    'whose worker is lost ends a trainer that is %s, and all of its processes',
    async (how) => {
      const pid = await start(hung);
      if (how === 'stopped') process.kill(-pid, 'SIGSTOP');
      const guard = await guarded(pid);
      guard.abandon();
      await guard.gone;
      expect(await everybody()).toEqual([]);
      expect(await readFile(folder.events, 'utf8')).toContain(
        `"ended 1 process that had left the trainer's process group: sleep"`,
      );
    },
  );

  it('that is dismissed goes, and touches nobody', async () => {
    const pid = await start(hung);
    const guard = await guarded(pid);
    guard.dismiss();
    await guard.gone;
    await expect.poll(async () => (await groupMembers(pid)).length).toBeGreaterThanOrEqual(3);
    expect(await markedProcesses(folder.session)).not.toEqual([]);
  });

  it('of a session before leaves that of its successor alone', async () => {
    const pid = await start(hung);
    const gone = spawn('true');
    const exited = once(gone, 'exit');
    const before = await guarded(gone.pid ?? 0, 'before');
    await exited;
    before.abandon();
    await before.gone;
    expect(await groupMembers(pid)).toContain(pid);
  });
});

describe.skipIf(process.platform !== 'linux')('what left the process group', () => {
  it('is found by its marker, ended and named; other folders are left alone', async () => {
    await start('setsid -f sleep 1000; setsid -f sleep 1000; echo ready');
    const other = await new RunFolders(data).make('guarded-2');
    expect(await endEscaped(other, AbortSignal.abort())).toEqual([]);
    // Both: one that was forked and not yet detached is still of the group.
    const names = async () => (await markedProcesses(folder.session))?.map(({ name }) => name);
    await expect.poll(names).toEqual(['sleep', 'sleep']);
    const ended = (await endEscaped(folder, AbortSignal.abort())) ?? [];
    expect(ended).toHaveLength(2);
    expect(escapedNote(ended)).toMatch(/^ended 2 processes that had left the trainer's process group: sleep$/);
    expect(await markedProcesses(folder.session)).toEqual([]);
  });
});

it('resident memory is told in KiB, whatever the size of a page', () => {
  expect(residentBytes('Name:\tpython3\nVmRSS:\t   65536 kB\nThreads:\t1\n')).toBe(64 * 1024 * 1024);
  expect(residentBytes('Name:\tkthreadd\n')).toBe(0);
});

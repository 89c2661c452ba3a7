/** The parent of a trainer: it tells how that ended, whoever asks and whenever, and ends one that no worker comes for. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { endEscaped, escapedNote } from '../../worker/escaped-processes.ts';
import { processLauncher, type SupervisedTrainer } from '../../worker/launchers/process.ts';
import { readProcessFile, readTrainerEnd } from '../../worker/process-file.ts';
import {
  groupMembers,
  identify,
  markedProcesses,
  processGone,
  residentBytes,
  signalProcess,
} from '../../worker/process-groups.ts';
import { findPython } from '../../worker/python-tools.ts';
import { type RunFolder, RunFolders } from '../../worker/run-folders.ts';
import { supervisorSocket } from '../../worker/session-sockets.ts';
import { until } from '../support/until.ts';

let data: string;
let folder: RunFolder;
let launched: SupervisedTrainer | null = null;
/** Another one each time: what a test before has left is none of this one's. */
let session: string;
beforeEach(async () => {
  session = randomUUID();
  data = await mkdtemp(join(tmpdir(), 'epochal-supervisor-'));
  folder = await new RunFolders(data).make('supervised');
  await writeFile(folder.events, '');
});
afterEach(async () => {
  for (const pid of await everybody()) await signalProcess(await identify(pid), 'SIGKILL');
  await launched?.dismiss();
  launched = null;
  // It writes how the trainer ended into what is removed now.
  const parent = (await readProcessFile(folder).catch(() => null))?.supervisor;
  if (parent) await processGone(parent, AbortSignal.timeout(30_000));
  await rm(data, { recursive: true, force: true });
});

/** Ignores SIGTERM, as one that holds its GIL does, and has a child in its group and one that left it. */
const hung = 'trap "" TERM; sleep 1000 & setsid -f sleep 1000; echo ready; while :; do sleep 1000; done';

const socketPath = () => join(data, 'socket');
/** What the supervisor is started with. */
const environment = () => join(data, 'environment');

/** However long the next worker takes to come on a busy machine. */
const inTime = 600;

/** A shell script in the place of a trainer; returns once it has said something. */
async function start(script: string, reattachSeconds = inTime): Promise<SupervisedTrainer> {
  const file = join(data, 'trainer.sh');
  await writeFile(file, script);
  const limits = { reattachSeconds, stopSeconds: 0.2, terminateSeconds: 0.2 };
  const python = join(data, 'python');
  const { path } = await findPython();
  // The supervisor runs with the same Python as its trainer: this one runs scripts as well.
  await writeFile(
    python,
    `#!/bin/sh\ncase "$1" in -I) env >${environment()}; exec ${path} "$@";; *) exec sh "$1";; esac\n`,
    { mode: 0o755 },
  );
  launched = await processLauncher.start(
    { index: 3 },
    {
      ...{ program: { name: 'script', file }, python, folder, session, socket: socketPath(), limits },
      ...{ environment: {}, devices: { environment: {} } },
    },
  );
  await until('it has begun', async () => (await readFile(folder.trainerLog, 'utf8')) !== '');
  return launched;
}

/** As the worker after this one would. */
async function findAgain(): Promise<SupervisedTrainer> {
  const file = await readProcessFile(folder);
  if (!file) throw new Error('no process.json');
  launched = processLauncher.find({ folder, socket: socketPath(), file });
  return launched;
}

const supervisorGone = async () => {
  const parent = (await readProcessFile(folder))?.supervisor;
  if (!parent) throw new Error('no supervisor');
  return processGone(parent, AbortSignal.timeout(30_000));
};

const everybody = async () => [
  ...(launched ? await groupMembers(launched.identity.pid) : []),
  ...((await markedProcesses(folder.session)) ?? []).map(({ pid }) => pid),
];

// Without /proc nobody finds what left the group.
describe.skipIf(process.platform !== 'linux')('a supervisor', () => {
  it.each([
    ['with a code', 'exit 3', { code: 3, signal: null }],
    ['by a signal', 'kill -KILL $$', { code: null, signal: 'SIGKILL' }],
  ])('tells how its trainer ended, %s, at once and to whoever comes later', async (_, how, expected) => {
    const trainer = await start(`echo ready; until [ -e ${data}/go ]; do sleep 0.01; done; ${how}`);
    await writeFile(join(data, 'go'), '');
    expect(await trainer.exited).toMatchObject({ ...expected, unattended: false });
    expect(await readTrainerEnd(folder, session)).toMatchObject(expected);
    expect(await readTrainerEnd(folder, 'another')).toBeNull();
    expect(await (await findAgain()).exited).toMatchObject(expected);
    await launched?.dismiss();
    expect(await supervisorGone()).toBe(true);
    // Gone: what it has recorded is still there.
    expect(await (await findAgain()).exited).toMatchObject(expected);
  });

  it('has of the environment what its Python may need to start, and nothing else', async () => {
    vi.stubEnv('LD_LIBRARY_PATH', '/nowhere');
    vi.stubEnv('TEMPORAL_API_KEY', 'secret');
    onTestFinished(() => void vi.unstubAllEnvs());
    await start(hung);
    const told = await readFile(environment(), 'utf8');
    expect(told).toContain('LD_LIBRARY_PATH=/nowhere');
    expect(told).not.toContain('secret');
  });

  it('lets a worker go and another one come, and its trainer does not notice', async () => {
    const first = await start(hung);
    const file = await readProcessFile(folder);
    expect(file).toMatchObject({ session, ...first.identity, slot: 3 });
    expect((await stat(supervisorSocket(socketPath()))).mode & 0o777).toBe(0o600);
    first.leave();
    const second = await findAgain();
    expect(second.identity).toEqual(first.identity);
    expect(await second.alive()).toBe(true);
    second.signal('SIGKILL', 'group');
    expect(await second.exited).toMatchObject({ signal: 'SIGKILL', unattended: false });
  });

  it('stays when a batch system tells all processes of its job to go, and its trainer hears that', async () => {
    const trainer = await start('trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done');
    const supervisor = (await readProcessFile(folder))?.supervisor?.pid ?? 0;
    for (const signal of ['SIGUSR1', 'SIGTERM'] as const) process.kill(supervisor, signal);
    trainer.signal('SIGTERM', 'trainer');
    expect(await trainer.exited).toMatchObject({ code: 7 });
  });

  it('minds no worker that goes as another one comes', async () => {
    const trainer = await start(hung);
    trainer.leave();
    const connect = () => createConnection(supervisorSocket(socketPath()));
    const older = connect();
    await once(older, 'data');
    const supervisor = (await readProcessFile(folder))?.supervisor?.pid ?? 0;
    process.kill(supervisor, 'SIGSTOP');
    // The later one is there before the older one goes, and both are seen at once.
    const later = connect();
    await once(later, 'connect');
    older.destroy();
    await once(older, 'close');
    process.kill(supervisor, 'SIGCONT');
    expect(String(await once(later, 'data'))).toContain(`"pid": ${trainer.identity.pid}`);
    later.destroy();
    trainer.signal('SIGKILL', 'group');
    expect(await (await findAgain()).exited).toMatchObject({ signal: 'SIGKILL' });
  });

  it.each(['hung', 'stopped'])(
    'that no worker comes back to ends a trainer that is %s, and all its processes',
    async (how) => {
      const trainer = await start(hung, 0.3);
      if (how === 'stopped') process.kill(-trainer.identity.pid, 'SIGSTOP');
      trainer.leave();
      expect(await supervisorGone()).toBe(true);
      expect(await everybody()).toEqual([]);
      expect(await readTrainerEnd(folder, session)).toMatchObject({ signal: 'SIGKILL', unattended: true });
      expect(await readFile(folder.events, 'utf8')).toContain(
        `"ended 1 process that had left the trainer's process group: sleep"`,
      );
    },
  );

  it('that is told that all is over goes, and touches nobody', async () => {
    const trainer = await start(hung);
    await trainer.dismiss();
    expect(await supervisorGone()).toBe(true);
    expect((await groupMembers(trainer.identity.pid)).length).toBeGreaterThanOrEqual(2);
    expect(await markedProcesses(folder.session)).not.toEqual([]);
  });

  it('that is killed leaves its trainer alone, whose end is then seen without it', async () => {
    const trainer = await start(hung);
    process.kill((await readProcessFile(folder))?.supervisor?.pid ?? 0, 'SIGKILL');
    expect(await supervisorGone()).toBe(true);
    expect(await trainer.alive()).toBe(true);
    trainer.signal('SIGKILL', 'group');
    expect(await trainer.exited).toBeNull();
  });

  it('that cannot write down which process its trainer is starts none', async () => {
    await mkdir(folder.process);
    await expect(start(hung)).rejects.toMatchObject({
      message: /could not be started: .*process\.json/,
      code: 'EISDIR',
    });
    expect(await everybody()).toEqual([]);
  });

  it('cannot start what is not there, and says so', async () => {
    const nowhere = { ...folder, artifacts: join(data, 'nowhere') };
    const { path } = await findPython();
    const limits = { reattachSeconds: 1, stopSeconds: 1, terminateSeconds: 1 };
    const starting = processLauncher.start(
      { index: 0 },
      {
        ...{ program: { name: 'none', file: 'none.py' }, python: path, folder: nowhere, session },
        ...{ socket: socketPath(), limits, environment: {}, devices: { environment: {} } },
      },
    );
    await expect(starting).rejects.toThrow(/the trainer could not be started: .*nowhere/);
  });
});

describe.skipIf(process.platform !== 'linux')('what left the process group', () => {
  it('is found by its marker, ended and named; other folders are left alone', async () => {
    await start('setsid -f sleep 1000; setsid -f sleep 1000; echo ready; sleep 1000');
    const other = await new RunFolders(data).make('supervised-2');
    expect(await endEscaped(other, AbortSignal.abort())).toEqual([]);
    process.kill(-(launched?.identity.pid ?? 0), 'SIGKILL');
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

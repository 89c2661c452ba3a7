/** A session in a container: started, signalled, found again, and its end told as that of a process. */
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readContainerRecord } from '../../worker/container-record.ts';
import { findTrainer, leftContainer } from '../../worker/launchers/host-launcher.ts';
import { endPredecessor, hasPredecessor } from '../../worker/predecessor.ts';
import { readTrainerEnd } from '../../worker/process-file.ts';
import { isGroupAlive } from '../../worker/process-groups.ts';
import { TrainerCatalog } from '../../worker/trainer-catalog.ts';
import { until } from '../support/until.ts';
import { ContainedHost, makeCounterImage, type Started } from './contained.ts';

let host: ContainedHost;
beforeAll(async () => {
  await makeCounterImage();
  host = await ContainedHost.make({ EPOCHAL_CONTAINER_MEMORY_GB: '0.2' });
}, 600_000);
afterAll(() => host?.close());

const log = pino({ level: 'silent' });
const sleeps = 'import time\nprint("begun", flush=True)\ntime.sleep(1000)\n';
const begun = ({ log }: Started) => until('it has begun', async () => (await log()).includes('begun'));
const over = async ({ trainer }: Started) => {
  const end = await trainer.exited;
  await trainer.endLeftovers(AbortSignal.abort());
  await trainer.dismiss();
  return end;
};

describe('a trainer in a container', () => {
  it.each([
    ['an exit code', 'raise SystemExit(3)', { code: 3, signal: null, outOfMemory: false, unattended: false }],
    ['a signal', 'import os\nos.kill(os.getpid(), 9)', { code: null, signal: 'SIGKILL', outOfMemory: false }],
    [
      'want of memory',
      'kept = []\nwhile True:\n    kept.append(bytearray(10_000_000))',
      { code: null, signal: 'SIGKILL', outOfMemory: true },
    ],
  ])('tells how it ended, by %s, and nothing of it is left', async (_, program, expected) => {
    const started = await host.start(program);
    const name = await host.containerOf(started.folder);
    expect(await over(started)).toMatchObject(expected);
    expect(await host.engine.state(name)).toBeNull();
    expect(await readContainerRecord(started.folder)).toBeNull();
    await expect(access(dirname(started.socket))).rejects.toThrow('ENOENT');
  });

  it('is signalled by its worker, itself or with all that it started', async () => {
    const program = `
import signal, subprocess, time
signal.signal(signal.SIGTERM, lambda *_: print("told to go", flush=True))
subprocess.Popen(["sleep", "1000"])
subprocess.Popen(["sleep", "1000"], start_new_session=True)
print("begun", flush=True)
while True:
    time.sleep(1)
`;
    const started = await host.start(program);
    await begun(started);
    started.trainer.signal('SIGTERM', 'trainer');
    await until('it has heard', async () => (await started.log()).includes('told to go'));
    const seen = started.trainer.identity;
    expect(seen && (await isGroupAlive(seen))).toBe(true);
    started.trainer.signal('SIGKILL', 'group');
    expect(await over(started)).toMatchObject({ signal: 'SIGKILL', outOfMemory: false });
    expect(seen && (await isGroupAlive(seen))).toBe(false);
  });

  it('that leaves processes behind has them ended, which a note names', async () => {
    const program = 'import subprocess\nsubprocess.Popen(["sleep", "1000"], start_new_session=True, env={})\n';
    const started = await host.start(program);
    expect(await over(started)).toMatchObject({ code: 0 });
    expect(await readFile(started.folder.events, 'utf8')).toContain(
      "ended 1 process that had left the trainer's process group: sleep",
    );
  });

  it('trains on without its worker, and the next one finds it and ends it', async () => {
    const started = await host.start(sleeps);
    await begun(started);
    started.trainer.leave();
    const { folder, socket } = started;
    expect(await hasPredecessor(folder)).toBe(true);
    const record = await readContainerRecord(folder);
    if (!record) throw new Error('no record');
    expect(await (await leftContainer(folder))?.isAlive()).toBe(true);
    const found = findTrainer({ folder, socket, container: record });
    found.leave();
    const limits = { stopSeconds: 60, terminateSeconds: 60 };
    await endPredecessor(folder, limits, new AbortController().signal, log);
    expect(await readTrainerEnd(folder, started.session)).toMatchObject({ signal: 'SIGTERM', unattended: false });
    expect(await hasPredecessor(folder)).toBe(false);
    expect(await host.engine.state(record.name)).toBeNull();
  });

  it('that no worker comes back to is ended with all that it started, also where it hangs', async () => {
    const hangs = `import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n${sleeps}`;
    const started = await host.start(hangs, { reattachSeconds: 0.5 });
    await begun(started);
    started.trainer.leave();
    const name = await host.containerOf(started.folder);
    await until('its container has ended', async () => (await host.engine.state(name))?.isRunning === false);
    const expected = { signal: 'SIGKILL', unattended: true };
    expect(await readTrainerEnd(started.folder, started.session)).toMatchObject(expected);
    const record = await readContainerRecord(started.folder);
    const found = record && findTrainer({ ...started, container: record });
    expect(await found?.exited).toMatchObject(expected);
    await found?.dismiss();
  });

  it('whose container is killed ends by that, though nobody in it could tell', async () => {
    const started = await host.start(sleeps);
    await begun(started);
    await host.engine.kill(await host.containerOf(started.folder));
    expect(await over(started)).toMatchObject({ signal: 'SIGKILL', outOfMemory: false });
  });

  it('is removed by the next worker where no record tells of it, and others are not', async () => {
    const [lost, kept] = [await host.start(sleeps), await host.start(sleeps)];
    for (const { trainer } of [lost, kept]) trainer.leave();
    const name = await host.containerOf(kept.folder);
    expect(await host.launcher.sweep(new Set([name]))).toEqual([await host.containerOf(lost.folder)]);
    expect(await host.engine.labelled(`epochal.host=${host.id}`)).toEqual([name]);
    await host.launcher.sweep(new Set());
  });

  it('that cannot be started says why', async () => {
    const other = await ContainedHost.make({ EPOCHAL_CONTAINER_IMAGE: 'no-such-image' });
    await expect(other.start(sleeps)).rejects.toThrow(/no such image|unable to find image/i);
    await other.close();
  });

  it('is asked what it is in a container, too', async () => {
    const folder = join(host.folder, 'asked');
    await mkdir(folder);
    const program = 'import os, sys\nprint("as", os.getpid(), "of", os.listdir("/proc/1/cwd"))\nsys.exit(4)';
    await writeFile(join(folder, 'asked.py'), program);
    const catalog = new TrainerCatalog([folder], undefined, host.launcher);
    const found = await catalog.find('asked');
    if (!found) throw new Error('not found');
    await expect(catalog.describe(found)).rejects.toThrow(/ended with code 4: as 1 of/);
  });
});

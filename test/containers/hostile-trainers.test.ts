/** What a trainer that means harm tries in its container, an attempt each: it gets nowhere, and its worker believes nothing that it forged. */
import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { deadlinesSchema } from '../../contracts/run-config.ts';
import { readContainerRecord } from '../../worker/container-record.ts';
import { keepNote } from '../../worker/escaped-processes.ts';
import { endPredecessor } from '../../worker/predecessor.ts';
import { identify, isGroupAlive } from '../../worker/process-groups.ts';
import { ProgressMeter } from '../../worker/progress-meter.ts';
import { readEnd } from '../../worker/run-folders.ts';
import { supervisorSocket } from '../../worker/session-sockets.ts';
import { TrainerWatch } from '../../worker/trainer-watch.ts';
import { until } from '../support/until.ts';
import { ContainedHost, makeCounterImage } from './contained.ts';

const limit = 50_000_000;
const secret = 'the-secret-of-the-agent';

let host: ContainedHost;
beforeAll(async () => {
  await makeCounterImage();
  process.env.EPOCHAL_TEST_SECRET = secret;
  host = await ContainedHost.make({
    EPOCHAL_CONTAINER_PROCESSES: '32',
    EPOCHAL_CONTAINER_DISK_GB: String(limit / 1e9),
  });
}, 600_000);
afterAll(async () => {
  delete process.env.EPOCHAL_TEST_SECRET;
  await host?.close();
});

/** Prints what each of these came to: what it answers, or the kind of error. */
const attempts = (them: Record<string, string>) => `
import ctypes, glob, os, pathlib, socket, subprocess, sys, time
def tried(name, attempt):
    try:
        print(f"{name}: {attempt()}", flush=True)
    except BaseException as error:
        print(f"{name}: {type(error).__name__}", flush=True)
${Object.entries(them)
  .map(([name, code]) => `tried(${JSON.stringify(name)}, lambda: ${code})`)
  .join('\n')}
`;

const answersOf = (log: string) =>
  Object.fromEntries(
    log.split('\n').flatMap((line) => (line.includes(': ') ? [line.split(/: (.*)/s).slice(0, 2)] : [])),
  );

describe('a hostile trainer', () => {
  it('finds no other run, no store and nothing of its host', async () => {
    const other = await host.folders.make('other-run');
    await writeFile(join(other.checkpoints, 'weights'), 'of another');
    await mkdir(join(host.folders.dataFolder, 'store'), { recursive: true });
    const log = await host.run(
      attempts({
        'the other run': `open("${join(other.checkpoints, 'weights')}").read()`,
        'what runs there are': `len(os.listdir("${join(host.folders.dataFolder, 'runs')}"))`,
        'the data folder': `sorted(os.listdir("${host.folders.dataFolder}"))`,
        'the sockets of others': `len(os.listdir("${join(host.folders.dataFolder, 'sockets')}"))`,
        'a file beside its folder': `open("${join(host.folders.dataFolder, 'runs', 'x')}", "w")`,
        'the system': 'open("/etc/passwd", "a")',
        'its own program': 'open(sys.argv[0], "a")',
        'the engine': 'os.path.exists("/var/run/docker.sock")',
        'a disk of the host': '[os.open(path, os.O_RDONLY) for path in glob.glob("/dev/[svn][dv]*")]',
      }),
    );
    expect(answersOf(log)).toEqual({
      'the other run': 'FileNotFoundError',
      'what runs there are': '1',
      'the data folder': "['runs', 'sockets']",
      'the sockets of others': '1',
      'a file beside its folder': 'PermissionError',
      'the system': 'PermissionError',
      'its own program': 'PermissionError',
      'the engine': 'False',
      'a disk of the host': '[]',
    });
  });

  it('reads none of its agent: no environment, no process', async () => {
    const log = await host.run(
      attempts({
        'its own environment': `"${secret}" in str(os.environ)`,
        'that of all others': `"${secret}" in str([open(path).read() for path in glob.glob("/proc/[0-9]*/environ") if os.access(path, os.R_OK)])`,
        'how many processes': 'len(glob.glob("/proc/[0-9]*"))',
        'a setting of the kernel': 'open("/proc/sys/kernel/hostname", "w")',
      }),
    );
    expect(answersOf(log)).toEqual({
      'its own environment': 'False',
      'that of all others': 'False',
      // Its supervisor and itself.
      'how many processes': '2',
      'a setting of the kernel': 'OSError',
    });
  });

  it('is a user of its own without any power', async () => {
    const log = await host.run(
      attempts({
        user: 'os.getuid() == os.getgid() >= 100_000',
        'other groups': 'set(os.getgroups()) - {os.getgid()}',
        'to be root': 'os.setuid(0)',
        capabilities:
          '[line for line in open("/proc/self/status") if line.startswith(("CapEff", "CapBnd", "NoNewPrivs"))]',
        'to mount': 'ctypes.CDLL(None, use_errno=True).mount(b"none", b"/tmp", b"tmpfs", 0, None)',
        'to end its supervisor': 'os.kill(1, 9) or time.sleep(0.2) or os.path.exists("/proc/1")',
      }),
    );
    expect(answersOf(log)).toMatchObject({
      user: 'True',
      'other groups': 'set()',
      'to be root': 'PermissionError',
      capabilities: String.raw`['CapEff:\t0000000000000000\n', 'CapBnd:\t0000000000000000\n', 'NoNewPrivs:\t1\n']`,
      'to mount': '-1',
      'to end its supervisor': 'True',
    });
  });

  it('reaches no network, that of its host included', async () => {
    const server = await listening();
    const { port } = server.address() as { port: number };
    const connects = (address: string) => `socket.create_connection(("${address}", ${port}), 2)`;
    const log = await host.run(
      attempts({
        interfaces: '[name for _, name in socket.if_nameindex()]',
        'its host': connects('127.0.0.1'),
        'its host on a bridge': connects('172.17.0.1'),
        'the metadata of a cloud': connects('169.254.169.254'),
        'a name': 'socket.getaddrinfo("example.org", 443)',
      }),
    );
    expect(answersOf(log)).toEqual({
      interfaces: "['lo']",
      'its host': 'ConnectionRefusedError',
      'its host on a bridge': 'OSError',
      'the metadata of a cloud': 'OSError',
      'a name': 'gaierror',
    });
  });

  it('that forks without end runs out of processes, and they end with it', async () => {
    const program = `
import os, time
forks = 0
try:
    while True:
        if os.fork() == 0:
            os.setsid()
            time.sleep(1000)
        forks += 1
except BlockingIOError:
    print(f"forks: {forks}", flush=True)
time.sleep(1000)
`;
    const { trainer, folder, log } = await host.start(program);
    await until('it can fork no more', async () => (await log()).includes('forks: '));
    expect(Number(answersOf(await log()).forks)).toBeLessThan(32);
    const name = await host.containerOf(folder);
    trainer.signal('SIGKILL', 'group');
    expect(await trainer.exited).toMatchObject({ signal: 'SIGKILL' });
    await trainer.endLeftovers(AbortSignal.abort());
    expect((await host.engine.state(name))?.isRunning).toBe(false);
    await trainer.dismiss();
  });

  it('that leaves its session, its group and its environment is ended all the same', async () => {
    const marker = `escaped-${process.pid}`;
    const program = `
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        os.execve("/bin/sh", ["${marker}", "-c", "while :; do sleep 1; done"], {})
    os._exit(0)
print("begun", flush=True)
time.sleep(1000)
`;
    const { trainer, log } = await host.start(program);
    await until('it has begun', async () => (await log()).includes('begun'));
    await until('it is away', async () => (await commandsOn()).some((command) => command.includes(marker)));
    trainer.signal('SIGTERM', 'trainer');
    await trainer.exited;
    await trainer.endLeftovers(AbortSignal.abort());
    expect((await commandsOn()).filter((command) => command.includes(marker))).toEqual([]);
    await trainer.dismiss();
  });

  it('that fills the disk is ended once its run folder has more than it may; no file grows beyond that', async () => {
    const program = `
import os, time
big = open("big", "wb")
try:
    for _ in range(100):
        big.write(bytes(1_000_000))
        big.flush()
except OSError as error:
    print("one file:", error.errno, flush=True)
os.unlink("big")
print("filling", flush=True)
for number in range(100):
    open(f"part-{number}", "wb").write(bytes(1_000_000))
    time.sleep(0.02)
time.sleep(1000)
`;
    const { trainer, folder, log } = await host.start(program);
    const told: string[] = [];
    const watch = new TrainerWatch({
      ...{ folder, deadlines: deadlinesSchema.parse({}), meter: new ProgressMeter(1, 1), mayBeSilent: () => true },
      ...{ measureEvery: 50, onHang: () => undefined, diskBytes: limit },
      onFull: (message) => {
        told.push(message);
        trainer.signal('SIGKILL', 'group');
      },
    });
    const over = new AbortController();
    const watched = watch.watch(trainer, over.signal);
    expect(await trainer.exited).toMatchObject({ signal: 'SIGKILL' });
    over.abort();
    await watched;
    expect(told[0]).toMatch(/^the run folder takes \d+ MiB, and a session may have 48 MiB/);
    expect(await log()).toContain('one file: 27');
    await trainer.endLeftovers(AbortSignal.abort());
    await trainer.dismiss();
  });

  it('replaces none of the files that its worker goes by', async () => {
    const log = await host.run(
      attempts(
        Object.fromEntries(
          ['session.json', 'run.json', 'materials.json'].flatMap((name) => [
            [`to write ${name}`, `open("../${name}", "w")`],
            [`to replace ${name}`, `pathlib.Path("../x").write_text("{}") and os.replace("../x", "../${name}")`],
            [`to remove ${name}`, `os.unlink("../${name}")`],
          ]),
        ),
      ),
    );
    expect(new Set(Object.values(answersOf(log)))).toEqual(new Set(['OSError']));
  });

  it('has its worker write to no place but its run folder, by links in the place of what is there', async () => {
    const elsewhere = join(host.folder, 'elsewhere');
    await mkdir(elsewhere);
    await writeFile(join(elsewhere, 'log'), 'of another');
    const folders = ['checkpoints', 'artifacts', 'logs'];
    const program = attempts({
      ...Object.fromEntries(folders.map((name) => [`to replace ${name}`, `os.rename("../${name}", "../x")`])),
      'to lead the worker elsewhere': `[os.symlink("${elsewhere}", f"../{name}") for name in ("snapshots", "damaged", "start")]`,
      'to have it write there': `os.symlink("${join(elsewhere, 'log')}", "../logs/events.jsonl") if os.unlink("../logs/events.jsonl") is None else 0`,
    });
    // Of what leaves its group the worker writes a note.
    const escapes = 'subprocess.Popen(["sleep", "1000"], start_new_session=True)\n';
    const { trainer, folder, log } = await host.start(program + escapes);
    await trainer.exited;
    await trainer.endLeftovers(AbortSignal.abort());
    await keepNote(folder, 'one', 'a note');
    await trainer.dismiss();
    expect(answersOf(await log())).toEqual({
      ...Object.fromEntries(folders.map((name) => [`to replace ${name}`, 'OSError'])),
      'to lead the worker elsewhere': '[None, None, None]',
      'to have it write there': 'None',
    });
    const entries = await readdir(folder.path, { withFileTypes: true });
    expect(entries.filter((entry) => entry.isSymbolicLink())).toEqual([]);
    expect(await readEnd(folder.events, 1_000)).toEqual({ text: '', isWhole: true });
    expect(await readFile(join(elsewhere, 'log'), 'utf8')).toBe('of another');
  });

  it('has no other process ended by what it writes of itself', async () => {
    const victim = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    onTestFinished(() => void victim.kill('SIGKILL'));
    const identity = await identify(victim.pid ?? 0);
    const forged = JSON.stringify({ session: 'forged', ...identity, supervisor: identity });
    const program = `
import pathlib, time
pathlib.Path("../process.json").write_text(${JSON.stringify(forged)})
print("begun", flush=True)
time.sleep(1000)
`;
    const { trainer, folder, log } = await host.start(program);
    await until('it has begun', async () => (await log()).includes('begun'));
    trainer.leave();
    const limits = { stopSeconds: 1, terminateSeconds: 1 };
    await endPredecessor(folder, limits, new AbortController().signal, pino({ level: 'silent' }));
    expect(await readContainerRecord(folder)).toBeNull();
    expect(await isGroupAlive(identity)).toBe(true);
  });

  it('has its worker speak to no other socket in the place of its own', async () => {
    const other = join(host.folder, 'other.socket');
    const server = createServer();
    let calls = 0;
    server.on('connection', () => calls++);
    await new Promise<void>((resolve) => server.listen(other, resolve));
    onTestFinished(() => void server.close());
    const { trainer, folder, socket } = await host.start('import time\ntime.sleep(1000)\n');
    trainer.leave();
    // As it could: the folder is its own.
    await rm(supervisorSocket(socket), { force: true });
    await symlink(other, supervisorSocket(socket));
    const limits = { stopSeconds: 1, terminateSeconds: 1 };
    await endPredecessor(folder, limits, new AbortController().signal, pino({ level: 'silent' }));
    expect(calls).toBe(0);
    expect(await readContainerRecord(folder)).toBeNull();
  });
});

function listening(): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((connection) => connection.end()).listen(0, '0.0.0.0', () => resolve(server));
    onTestFinished(() => void server.close());
  });
}

/** Command lines of all processes of this machine. */
async function commandsOn(): Promise<string[]> {
  const numbers = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  return Promise.all(numbers.map((number) => readFile(`/proc/${number}/cmdline`, 'utf8').catch(() => '')));
}

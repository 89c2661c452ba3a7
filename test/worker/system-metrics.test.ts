/** What a session takes of its host: measured by the worker, written in rows that never become too many, and told by its peaks. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { peakFacts } from '../../contracts/peak-text.ts';
import { deadlinesSchema } from '../../contracts/run-config.ts';
import {
  mostSystemBytes,
  mostSystemRows,
  type SystemPeaks,
  type SystemRow,
  systemPeaksSchema,
} from '../../contracts/system-metrics.ts';
import { readText } from '../../stores/artifact-store.ts';
import { openFolder } from '../../stores/open-store.ts';
import type { LaunchedTrainer } from '../../worker/launchers/launcher.ts';
import { ProgressMeter } from '../../worker/progress-meter.ts';
import { type RunFolder, RunFolders } from '../../worker/run-folders.ts';
import { restoreOtherRows, storedSystemRows, storeOtherRows } from '../../worker/stored-rows.ts';
import { GpuReadings, parseGpuUse } from '../../worker/system/gpu-readings.ts';
import { GroupUsage, parseIo, parseNetwork, parseStat } from '../../worker/system/process-usage.ts';
import { rowBetween, SystemRecorder } from '../../worker/system/system-recorder.ts';
import { joined, peaksOf, readSystemRows, SystemRows, systemLines } from '../../worker/system/system-rows.ts';
import { TrainerWatch } from '../../worker/trainer-watch.ts';
import { until } from '../support/until.ts';

let data: string;
let folder: RunFolder;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'system-'));
  onTestFinished(() => rm(data, { recursive: true, force: true }));
  folder = await new RunFolders(data).make('r');
});

/** `second`: of the day. */
const row = (second: number, more: Partial<SystemRow> = {}): SystemRow => ({
  at: new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString(),
  seconds: 5,
  cpu: second,
  memoryBytes: 100,
  ...{ readBytes: null, writtenBytes: 0, receivedBytes: 1, sentBytes: 2, gpus: [] },
  ...more,
});

it('two rows make one: rates by how long each took, the highest of what is held, and nothing of what nobody told', () => {
  const gpu = { index: 0, use: 0.5, memoryBytes: 10, watts: 300, celsius: 60 };
  const earlier = row(5, { cpu: 1, seconds: 15, gpus: [gpu] });
  const later = row(10, { cpu: 3, memoryBytes: 70, gpus: [{ ...gpu, use: 1, watts: null, celsius: 70 }] });
  const both = joined(earlier, later);
  expect(both).toEqual({
    ...{ at: later.at, seconds: 20, cpu: 1.5, memoryBytes: 100, readBytes: null, writtenBytes: 0 },
    ...{ receivedBytes: 1, sentBytes: 2, gpus: [{ index: 0, use: 0.625, memoryBytes: 10, watts: 300, celsius: 70 }] },
  });
  expect(peaksOf([earlier, later])).toEqual({
    ...{ seconds: 20, cpu: 3, memoryBytes: 100, readBytes: null, writtenBytes: 0, receivedBytes: 1, sentBytes: 2 },
    gpus: [{ index: 0, use: 1, memoryBytes: 10, watts: 300, celsius: 70 }],
  });
  expect(peaksOf([])).toBeNull();
  expect(peakFacts(peaksOf([earlier, later]) as SystemPeaks)).toEqual([
    ['CPU', '3.0 cores'],
    ['Memory', '100 bytes'],
    ['Written to disk', '0 bytes/s'],
    ['Received by network', '1 byte/s'],
    ['Sent by network', '2 bytes/s'],
    ['GPU 0', '100 %, 10 bytes, 300 W, 70 °C'],
  ]);
});

it('a file that is full is halved, its rows are twice as long from then on, and the next session goes on with that', async () => {
  await writeFile(folder.system, `${systemLines(Array.from({ length: mostSystemRows }, (_, i) => row(i * 5)))}{"at":`);
  const rows = await SystemRows.open(folder.system);
  await rows.add(row(mostSystemRows * 5));
  const after = await readSystemRows(folder.system);
  expect(after).toHaveLength(mostSystemRows / 2 + 1);
  expect(after[0]).toMatchObject({ at: row(5).at, seconds: 10, cpu: 2.5 });
  expect(after.at(-1)).toEqual(row(mostSystemRows * 5));
  await rows.add(row(mostSystemRows * 5 + 5));
  expect(await readSystemRows(folder.system)).toHaveLength(after.length);
  const next = await SystemRows.open(folder.system);
  await next.add(row(20_000));
  expect(await readSystemRows(folder.system)).toHaveLength(after.length);
  await next.add(row(20_005));
  expect((await readSystemRows(folder.system)).at(-1)).toMatchObject({ seconds: 10, cpu: 20_002.5 });
  // What is left at the end is a row, too.
  await next.add(row(20_010));
  await next.flush();
  expect((await readSystemRows(folder.system)).at(-1)).toEqual(row(20_010));
});

it('a time in which the worker stood still makes one long row, and none of the next session is any longer for it', async () => {
  await writeFile(folder.system, systemLines([row(5), row(10), row(3_610, { seconds: 3_600 }), row(3_615)]));
  await (await SystemRows.open(folder.system)).add(row(3_620));
  expect((await readSystemRows(folder.system)).map(({ seconds }) => seconds)).toEqual([5, 5, 3_600, 5, 5]);
});

it('what a trainer wrote there itself is a reading that a host may give, or none, and its peaks have an end', async () => {
  const store = openFolder(join(data, 'store'));
  await store.prepare(false);
  const of = { folder, store, output: 'p/r' };
  const gpu = (index: number) => ({ index, use: 1, memoryBytes: 1, watts: 1, celsius: 1, more: 'x'.repeat(1_000) });
  const many = Array.from({ length: 300 }, (_, index) => gpu(index));
  const rows = [
    row(5, { seconds: 1e308 }),
    row(10, { gpus: many }),
    ...many.map((one) => row(15, { memoryBytes: 1e308, gpus: [one] })),
  ];
  await writeFile(folder.system, systemLines(rows));
  const { peaks } = await storedSystemRows(of);
  expect(peaks).toMatchObject({ seconds: 1_500, memoryBytes: 1e308 });
  expect(peaks?.gpus).toHaveLength(64);
  expect(JSON.stringify(peaks).length).toBeLessThan(10_000);
  expect(systemPeaksSchema.parse(JSON.parse(JSON.stringify(peaks)))).toEqual(peaks);
  // More than anybody reads.
  await truncate(folder.system, mostSystemBytes + 1);
  expect(await storedSystemRows(of)).toEqual({ peaks: null, file: null });
  await storeOtherRows(of);
  expect(await readText(store, 'p/r/system.jsonl')).toBeNull();
});

it('nothing is written where a link of the trainer leads', async () => {
  const elsewhere = join(data, 'elsewhere');
  await writeFile(elsewhere, 'whole');
  await symlink(elsewhere, folder.system);
  const recorder = new SystemRecorder(folder.system, process.pid, () => []);
  for (const _ of [1, 2]) await recorder.tick();
  await recorder.end();
  expect(await readFile(elsewhere, 'utf8')).toBe('whole');
});

/** Leads a group of its own, and computes with a child. */
function busy(): number {
  const child = spawn('sh', ['-c', 'while :; do :; done & while :; do :; done'], { detached: true, stdio: 'ignore' });
  const group = child.pid as number;
  onTestFinished(async () => {
    process.kill(-group, 'SIGKILL');
    if (child.signalCode === null) await once(child, 'exit');
  });
  return group;
}

it('the group of a trainer is measured for as long as it is watched: what it computes and holds, and nothing of anybody else', async () => {
  const group = busy();
  const usage = new GroupUsage(group);
  const gpu = { index: 0, use: 1, memoryBytes: 1, watts: 1, celsius: 1 };
  const ended = new AbortController();
  const meter = new ProgressMeter(1, 1);
  const watch = new TrainerWatch({
    ...{ folder, deadlines: deadlinesSchema.parse({}), meter, mayBeSilent: () => true, measureEvery: 50 },
    onHang: () => undefined,
  });
  const trainer = { identity: { pid: group } } as LaunchedTrainer;
  const watched = watch.watch(trainer, ended.signal, () => [gpu]);
  await until('it has computed for a while', async () => ((await usage.read()).cpuSeconds ?? 0) > 0.5);
  const found = await usage.read();
  for (const memory of [found.memoryBytes, meter.current.memoryBytes]) {
    expect(memory).toBeGreaterThan(100_000);
    expect(memory).toBeLessThan(50_000_000);
  }
  expect(found.receivedBytes).toBeGreaterThanOrEqual(0);
  // Nobody is in the group of a process that leads none.
  expect(await new GroupUsage(2 ** 30).read()).toMatchObject({ cpuSeconds: 0, memoryBytes: 0, receivedBytes: null });
  ended.abort();
  await watched;
  const rows = await readSystemRows(folder.system);
  expect(peaksOf(rows)).toMatchObject({ gpus: [gpu] });
  const computed = rows.reduce((sum, { cpu, seconds }) => sum + (cpu ?? 0) * seconds, 0);
  // Times are told in hundredths of a second, and the last reading was before the end.
  expect(computed).toBeGreaterThan(0.1);
  expect(computed).toBeLessThan(((await usage.read()).cpuSeconds ?? 0) + 0.1);
});

it('processes of others are read once, and passed over then', async () => {
  const children = spawn('sh', ['-c', 'for _ in $(seq 60); do sleep 600 & done; echo; wait'], {
    ...{ detached: true, stdio: ['ignore', 'pipe', 'ignore'] },
  });
  onTestFinished(() => void process.kill(-(children.pid as number), 'SIGKILL'));
  await once(children.stdout as Readable, 'data');
  const usage = new GroupUsage(process.pid);
  /** By this process, from /proc too. */
  const bytesRead = () => Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
  const took: number[] = [];
  for (const _ of [1, 2]) {
    const before = bytesRead();
    await usage.read();
    took.push(bytesRead() - before);
  }
  expect(took[0]).toBeGreaterThan(60 * 100);
  expect(took[1]).toBeLessThan((took[0] ?? 0) / 2);
});

it('what /proc and the driver tell is read as their manuals say', () => {
  expect(parseStat('7 (a ) b) S 1 42 42 0 -1 4194304 9 9 9 9 100 20 3 4 20 0 1 0 5')).toEqual({
    group: 42,
    ticks: 127,
  });
  expect(parseIo('rchar: 5\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 1\n')).toEqual({
    read: 4096,
    written: 8192,
  });
  expect(parseIo(null)).toBeNull();
  const table = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
    '    lo: 1000 1 0 0 0 0 0 0 1000 1 0 0 0 0 0 0',
    '  eth0: 500 1 0 0 0 0 0 0 70 1 0 0 0 0 0 0',
    'eth1:25 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0',
  ];
  expect(parseNetwork(`${table.join('\n')}\n`)).toEqual({ received: 525, sent: 77 });
  // Recorded formats: a data centre card, one in MIG mode, and an old one.
  const mebibyte = 1024 * 1024;
  expect(parseGpuUse('0, 87, 35411, 312.45, 61')).toEqual({
    ...{ index: 0, use: 0.87, memoryBytes: 35411 * mebibyte, watts: 312.45, celsius: 61 },
  });
  expect(parseGpuUse('1, [N/A], 5, 70.10, 34')).toMatchObject({ index: 1, use: null, watts: 70.1 });
  expect(parseGpuUse('2, 3, 5, [Not Supported], 40')).toMatchObject({ use: 0.03, watts: null, celsius: 40 });
  expect(parseGpuUse('NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.')).toBeNull();
  expect(parseGpuUse('')).toBeNull();
});

it('a counter that falls is no negative rate, and one that nobody told is none', () => {
  const told = { cpuSeconds: 4, memoryBytes: 9, readBytes: 100, writtenBytes: null, receivedBytes: 5, sentBytes: 1 };
  expect(rowBetween(told, { ...told, cpuSeconds: 10, readBytes: 50, sentBytes: 21 }, 4, [])).toMatchObject({
    ...{ seconds: 4, cpu: 1.5, memoryBytes: 9, readBytes: 0, writtenBytes: null, receivedBytes: 0, sentBytes: 5 },
  });
});

it('one program tells of the GPUs for all sessions, each hears of its own, and it ends with the last of them', async () => {
  const program = join(data, 'nvidia-smi');
  const pids = join(data, 'pids');
  // As recorded: one line for each GPU, again and again.
  await writeFile(
    program,
    `echo $$ >>${pids}; echo "$@" >${data}/args; printf '0, 87, 35411, 312.45, 61\\n1, 9, 5, 70.00, 34\\n'; exec sleep 1000`,
  );
  const readings = new GpuReadings(['sh', program]);
  expect(readings.watch([], new AbortController().signal)()).toEqual([]);
  const sessions = [new AbortController(), new AbortController()];
  const [first, second] = sessions.map(({ signal }, index) => readings.watch([index], signal));
  await until('both are told', () => first?.().length === 1 && second?.().length === 1);
  expect(second?.()).toMatchObject([{ index: 1, use: 0.09, celsius: 34 }]);
  expect(await readFile(join(data, 'args'), 'utf8')).toBe(
    '--query-gpu=index,utilization.gpu,memory.used,power.draw,temperature.gpu --format=csv,noheader,nounits -l 5\n',
  );
  const [pid, ...others] = (await readFile(pids, 'utf8')).trim().split('\n').map(Number);
  expect(others).toEqual([]);
  const isThere = () => {
    try {
      return process.kill(pid ?? 0, 0);
    } catch {
      return false;
    }
  };
  sessions[0]?.abort();
  expect(isThere()).toBe(true);
  sessions[1]?.abort();
  await until('it has ended', () => !isThere());
  // A host without the program tells nothing, and nobody fails of it.
  const none = new GpuReadings([join(data, 'no-such-program')]).watch([0], AbortSignal.timeout(60_000));
  expect(none()).toEqual([]);
});

it('a host that takes a run over goes on with the rows of the one before, and a store alone has them for the receipt', async () => {
  const store = openFolder(join(data, 'store'));
  await store.prepare(false);
  const of = { store, output: 'p/r' };
  expect(await storedSystemRows({ ...of, folder: null })).toEqual({ peaks: null, file: null });
  await writeFile(folder.system, systemLines([row(5), row(10)]));
  await storeOtherRows({ ...of, folder });
  const next = await new RunFolders(join(data, 'next')).make('r');
  await restoreOtherRows({ ...of, folder: next });
  await (await SystemRows.open(next.system)).add(row(60));
  expect((await readSystemRows(next.system)).map(({ cpu }) => cpu)).toEqual([5, 10, 60]);
  // A host that has the run again has its own rows already, and gets those of the other one.
  await storeOtherRows({ ...of, folder: next });
  await (await SystemRows.open(folder.system)).add(row(15));
  await restoreOtherRows({ ...of, folder });
  expect((await readSystemRows(folder.system)).map(({ cpu }) => cpu)).toEqual([5, 10, 15, 60]);
  expect(await storedSystemRows({ ...of, folder: next })).toMatchObject({
    peaks: { seconds: 15, cpu: 60 },
    file: null,
  });
  expect(await storedSystemRows({ ...of, folder: null })).toMatchObject({
    peaks: { seconds: 15, cpu: 60 },
    file: { path: 'p/r/system.jsonl' },
  });
});

/** Which snapshot a run resumes from: the newest that is whole and its own, beyond every checkpoint; and it becomes a checkpoint. */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readlinkSync } from 'node:fs';
import { type FileHandle, mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { CheckpointManifest, LedgerEntry, Position } from '../../contracts/checkpoint.ts';
import { deadlinesSchema } from '../../contracts/run-config.ts';
import type { Session } from '../../contracts/session.ts';
import { openStore } from '../../stores/open-store.ts';
import { chooseResume } from '../../worker/checkpoints.ts';
import type { LaunchedTrainer } from '../../worker/launchers/launcher.ts';
import { ProgressMeter } from '../../worker/progress-meter.ts';
import { publishedFiles } from '../../worker/published-files.ts';
import { type RunFolder, RunFolders } from '../../worker/run-folders.ts';
import { readReport } from '../../worker/run-report.ts';
import { removeSnapshots, takeSnapshot } from '../../worker/snapshots.ts';
import { TrainerWatch } from '../../worker/trainer-watch.ts';

const { signal } = new AbortController();
const onProgress = () => undefined;
const previous: Session = {
  ...{ id: 'last', host: 'here', resumedFrom: null, devices: [], versions: {} },
  startedAt: '2026-01-01T00:00:00.000Z',
};
const row = (epoch: number) =>
  JSON.stringify({ epoch, batches: 5, seconds: 1, metrics: {}, at: '2026-01-01T00:00:00.000Z' });

let scratch: string;
let folder: RunFolder;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'epochal-snapshots-'));
  folder = await new RunFolders(scratch).make('run');
  await writeFile(folder.metrics, `${row(1)}\n`);
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

it('being written is a save: no hang before the limit of one, nor while it grows', async () => {
  const half = '.epoch-0000-batch-000012.tmp';
  await mkdir(join(folder.snapshots, half), { recursive: true });
  const growing = await new RunFolders(scratch).make('growing');
  await mkdir(join(growing.snapshots, half), { recursive: true });
  let looks = 0;
  const grow = () => {
    if (looks++ < 10) appendFileSync(join(growing.snapshots, half, 'weights'), 'x');
  };
  const other = await new RunFolders(scratch).make('other');
  const hang = (of: RunFolder, onLook: () => void = () => undefined) =>
    new Promise<string>((resolve) => {
      const deadlines = { ...deadlinesSchema.parse({}), hangFloorSeconds: 0.1, hangCeilingSeconds: 1.5 };
      const ended = new AbortController();
      const onHang = (message: string) => {
        ended.abort();
        resolve(message);
      };
      const mayBeSilent = () => {
        onLook();
        return false;
      };
      const parts = { folder: of, deadlines, meter: new ProgressMeter(1, 1), mayBeSilent, onHang };
      const watch = new TrainerWatch(parts);
      watch.trains(1);
      for (const batch of Array(9).keys()) {
        watch.note({ type: 'batch', phase: 'train', epoch: 1, batch, batches: null, metrics: {} });
      }
      const trainer = { identity: { pid: 2 ** 30 } } as LaunchedTrainer;
      void watch.watch(trainer, ended.signal);
    });
  const [inSave, inBatch, inLongSave] = await Promise.all([hang(folder), hang(other), hang(growing, grow)]);
  expect(inSave).toContain('in phase train (limit 1.5 s)');
  expect(inBatch).toContain('in phase train (limit 0.1 s)');
  expect(inLongSave).toContain('in phase train (limit 1.5 s)');
  expect(looks).toBeGreaterThan(10);
});

const nameOf = ({ epoch, batch }: Position) =>
  `epoch-${String(epoch).padStart(4, '0')}${batch ? `-batch-${String(batch).padStart(6, '0')}` : ''}`;

async function written(
  where: string,
  position: Position,
  session = 'last',
  file = 'weights',
): Promise<CheckpointManifest> {
  const name = nameOf(position);
  const content = `weights at ${name}`;
  const manifest: CheckpointManifest = {
    ...{ name, ...position, metrics: {}, createdAt: '2026-01-01T00:00:00.000Z', session },
    files: [{ path: file, size: content.length, sha256: createHash('sha256').update(content).digest('hex') }],
  };
  await mkdir(dirname(join(where, name, file)), { recursive: true });
  await writeFile(join(where, name, file), content);
  await writeFile(join(where, name, 'checkpoint.json'), JSON.stringify(manifest));
  return manifest;
}

const taken = (more: { ledger?: LedgerEntry[]; notAfter?: Position | null; previous?: Session | null } = {}) =>
  takeSnapshot({ ...{ folder, ledger: [], previous, notAfter: null, signal, onProgress }, ...more });

it('is the newest one, becomes a checkpoint that the run is told of, and all others are gone', async () => {
  await written(folder.checkpoints, { epoch: 1, batch: 0 });
  await written(folder.snapshots, { epoch: 1, batch: 7 });
  await written(folder.snapshots, { epoch: 1, batch: 12 });
  const known = { epoch: 1, checkpoints: ['epoch-0001'] };
  expect((await readReport(folder, known)).position).toEqual({ epoch: 1, batch: 0 });
  const published: string[] = [];
  for await (const [path] of publishedFiles(folder)) published.push(path);
  expect(published).toEqual(['metrics.jsonl']);

  const verified = await taken();
  expect(verified).toBe('epoch-0001-batch-000012');
  const store = openStore(join(scratch, 'store'));
  await store.prepare(false);
  const request = { folder, store, output: 'output', previous, notAfter: null, ledger: [], signal, onProgress };
  expect((await chooseResume({ ...request, verified }))?.manifest).toMatchObject({ epoch: 1, batch: 12 });
  await removeSnapshots(folder);
  expect(existsSync(folder.snapshots)).toBe(false);
  const report = await readReport(folder, known);
  expect(report.position).toEqual({ epoch: 1, batch: 12 });
  expect(report.checkpoints.map(({ name }) => name)).toEqual(['epoch-0001-batch-000012']);
  // Asked again, as where the store was unavailable or the worker died: the same.
  expect(await taken()).toBe(null);
  expect((await chooseResume(request))?.manifest).toMatchObject({ epoch: 1, batch: 12 });
});

it('is on the disk before it is a checkpoint: its files, each folder of theirs, and then its place', async () => {
  await written(folder.snapshots, { epoch: 0, batch: 7 }, 'last', 'shards/first/weights');
  const probe = await open(folder.metrics);
  const handles: FileHandle = Object.getPrototypeOf(probe);
  await probe.close();
  const flushed: string[] = [];
  const { sync } = handles;
  const watching = vi.spyOn(handles, 'sync').mockImplementation(function (this: FileHandle) {
    flushed.push(relative(folder.path, readlinkSync(`/proc/self/fd/${this.fd}`)));
    return sync.call(this);
  });
  try {
    await taken();
  } finally {
    watching.mockRestore();
  }
  const snapshot = 'snapshots/epoch-0000-batch-000007';
  expect(flushed.at(-1)).toBe('checkpoints');
  expect(new Set(flushed.slice(0, -1))).toEqual(
    new Set(['', '/checkpoint.json', '/shards', '/shards/first', '/shards/first/weights'].map((at) => snapshot + at)),
  );
});

it('is the one before where the newest is damaged', async () => {
  await written(folder.snapshots, { epoch: 0, batch: 7 });
  await written(folder.snapshots, { epoch: 0, batch: 12 });
  await writeFile(join(folder.snapshots, 'epoch-0000-batch-000012', 'weights'), 'damaged on the disk');
  expect(await taken()).toBe('epoch-0000-batch-000007');
  expect(await readdir(folder.checkpoints)).toEqual(['epoch-0000-batch-000007']);
});

it('is none where both are damaged, or a checkpoint is newer', async () => {
  const both = [await written(folder.snapshots, { epoch: 0, batch: 7 })];
  await rm(join(folder.snapshots, 'epoch-0000-batch-000007', 'weights'));
  expect(await taken()).toBe(null);
  await written(folder.snapshots, { epoch: 0, batch: 12 });
  const inLedger = { ...(await written(join(scratch, 'store'), { epoch: 1, batch: 0 }, 'other')), host: 'other' };
  const ledger: LedgerEntry[] = [{ ...inLedger, stored: true, reasons: ['last'] }];
  expect(await taken({ ledger })).toBe(null);
  expect(await readdir(folder.checkpoints)).toEqual([]);
  expect(both).toHaveLength(1);
});

it('is none beyond a roll-back, of another session, or of a run that had none', async () => {
  await written(folder.snapshots, { epoch: 1, batch: 7 }, 'cut off, and continued alone');
  expect(await taken()).toBe(null);
  expect(await taken({ previous: null })).toBe(null);
  await written(folder.snapshots, { epoch: 1, batch: 12 });
  expect(await taken({ notAfter: { epoch: 1, batch: 0 } })).toBe(null);
  expect(await taken({ previous: null })).toBe(null);
  // What another session left under that name, untrusted, is in nobody's way.
  await written(folder.checkpoints, { epoch: 1, batch: 12 }, 'cut off, and continued alone');
  expect(await taken({ notAfter: { epoch: 2, batch: 0 } })).toBe('epoch-0001-batch-000012');
});

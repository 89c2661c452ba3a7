/** Checkpoints of a host and its store: two hosts that have had the run, and damaged ones. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CheckpointManifest } from '../../contracts/checkpoint.ts';
import { openStore } from '../../stores/open-store.ts';
import {
  chooseResume,
  damagedHere,
  isWhole,
  putAside,
  removePassed,
  storeCheckpoint,
  storedFiles,
} from '../../worker/checkpoints.ts';
import { leftOutNotes, publishedFiles, withWhatIsStored } from '../../worker/published-files.ts';
import { type RunFolder, RunFolders, readIfThere } from '../../worker/run-folders.ts';
import { readReport } from '../../worker/run-report.ts';

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'epochal-checkpoints-'));
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

const row = (epoch: number) =>
  JSON.stringify({ epoch, batches: 5, seconds: 1, metrics: { loss: 1 / epoch }, at: '2026-01-01T00:00:00.000Z' });

/** A host's folder of the run, as if it had trained `epochs` epochs. */
async function trainedOn(host: string, epochs: number): Promise<{ folder: RunFolder; newest: CheckpointManifest }> {
  const folder = await new RunFolders(join(scratch, host)).make('run');
  const name = `epoch-${String(epochs).padStart(4, '0')}`;
  const content = `weights after ${epochs}`;
  const newest: CheckpointManifest = {
    ...{ name, epoch: epochs, batch: 0, metrics: {}, createdAt: '2026-01-01T00:00:00.000Z', session: host },
    files: [{ path: 'weights', size: content.length, sha256: createHash('sha256').update(content).digest('hex') }],
  };
  await mkdir(join(folder.checkpoints, name), { recursive: true });
  await writeFile(join(folder.checkpoints, name, 'weights'), content);
  await writeFile(join(folder.checkpoints, name, 'checkpoint.json'), JSON.stringify(newest));
  await writeFile(folder.metrics, Array.from({ length: epochs }, (_, index) => `${row(index + 1)}\n`).join(''));
  return { folder, newest };
}

it('a host that stores late takes no rows away, and finds all of them when it goes on', async () => {
  const store = openStore(join(scratch, 'store'));
  await store.prepare(false);
  const late = await trainedOn('late', 1);
  const other = await trainedOn('other', 3);
  await storeCheckpoint(other.folder, other.newest, store, 'output', {});
  await storeCheckpoint(late.folder, late.newest, store, 'output', {});

  const resume = await chooseResume({
    ...{ folder: late.folder, store, output: 'output', previous: null, notAfter: null },
    ledger: [{ ...other.newest, reasons: ['last'], host: 'other', stored: true }],
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
  expect(resume?.manifest.name).toBe('epoch-0003');
  expect(await readFile(late.folder.metrics, 'utf8')).toBe(`${row(1)}\n${row(2)}\n${row(3)}\n`);
});

it('a link in a checkpoint is followed inside of it alone', async () => {
  const store = openStore(join(scratch, 'store'));
  await store.prepare(false);
  const { signal } = new AbortController();
  const linked = async (target: string, host: string, content?: string) => {
    const { folder, newest } = await trainedOn(host, 1);
    const path = join(folder.checkpoints, newest.name);
    await rename(join(path, 'weights'), join(path, 'other'));
    await symlink(target, join(path, 'weights'));
    if (content !== undefined) await writeFile(join(scratch, host, 'outside'), content);
    return [await isWhole(path, newest, signal), await storeCheckpoint(folder, newest, store, host, {})];
  };
  expect(await linked('other', 'inside')).toEqual([true, true]);
  // What it leads to has the very bytes: it may change at any time, and is none of the run's.
  expect(await linked('../../../../outside', 'out', 'weights after 1')).toEqual([false, false]);
  expect(await store.read('out/checkpoints/epoch-0001/weights')).toBe(null);

  const { folder, newest } = await trainedOn('whole', 1);
  const path = join(folder.checkpoints, newest.name);
  await rename(path, join(scratch, 'elsewhere'));
  await symlink(join(scratch, 'elsewhere'), path);
  expect(await isWhole(path, newest, signal)).toBe(false);
  await putAside(folder, newest);
  expect(existsSync(join(scratch, 'elsewhere', 'weights'))).toBe(true);
});

it('in the place of a link to a file of the run its content is published, and other links are told', async () => {
  const { folder } = await trainedOn('host', 1);
  const links = { best: '../checkpoints/epoch-0001/weights', out: '../../../outside', folder: '.', none: 'none' };
  for (const [name, target] of Object.entries(links)) await symlink(target, join(folder.artifacts, name));
  await symlink('session.json', join(folder.path, 'own.json'));
  await writeFile(folder.session, '{}');
  await writeFile(join(folder.artifacts, 'plot'), 'x');
  await symlink('/etc/hostname', folder.trainerLog);
  const left: string[] = [];
  const found: Record<string, string> = {};
  for await (const [path, local] of publishedFiles(folder, (link) => left.push(link)))
    found[path] = await readFile(local, 'utf8');
  expect(found).toEqual({
    'artifacts/best': 'weights after 1',
    'artifacts/plot': 'x',
    'metrics.jsonl': `${row(1)}\n`,
  });
  expect(left.sort()).toEqual(['artifacts/folder', 'artifacts/none', 'artifacts/out', 'logs/trainer.log', 'own.json']);
  expect(leftOutNotes([...left, 'one-more'])).toEqual([
    'not published: symbolic links that do not lead to a file of the run folder: "artifacts/folder", "artifacts/none", "artifacts/out", "logs/trainer.log", "own.json" and 1 more',
  ]);

  await rm(folder.metrics);
  await symlink('/etc/passwd', folder.metrics);
  expect(await readIfThere(folder.metrics)).toBe(null);
});

describe('a checkpoint that is damaged here', () => {
  const damage = ({ checkpoints }: RunFolder, { name }: CheckpointManifest) =>
    writeFile(join(checkpoints, name, 'weights'), 'WEIGHTS after 1');

  it('takes nothing from the store that has it whole', async () => {
    const store = openStore(join(scratch, 'store'));
    await store.prepare(false);
    const { folder, newest } = await trainedOn('host', 1);
    expect(await storeCheckpoint(folder, newest, store, 'output', {})).toBe(true);
    await damage(folder, newest);
    expect(await storeCheckpoint(folder, newest, store, 'output', {})).toBe(true);
    expect(await storedFiles(newest, store, 'output', {})).toMatchObject([{ path: 'checkpoints/epoch-0001/weights' }]);
  });

  it('leaves nothing of itself in the store, and is put aside; what was written in its place since stays', async () => {
    const store = openStore(join(scratch, 'store'));
    await store.prepare(false);
    const { folder, newest } = await trainedOn('host', 1);
    await damage(folder, newest);
    expect(await storeCheckpoint(folder, newest, store, 'output', {})).toBe(false);
    expect(await store.read('output/checkpoints/epoch-0001/weights')).toBe(null);
    await putAside(folder, newest);
    expect(await damagedHere(folder)).toEqual(['epoch-0001']);
    expect(existsSync(join(folder.checkpoints, newest.name))).toBe(false);
    const [file] = newest.files;
    const again = { ...newest, files: [{ path: 'weights', size: 1, sha256: file?.sha256 ?? '' }] };
    await mkdir(join(folder.checkpoints, newest.name));
    await writeFile(join(folder.checkpoints, newest.name, 'checkpoint.json'), JSON.stringify(again));
    await putAside(folder, newest);
    expect(existsSync(join(folder.checkpoints, newest.name))).toBe(true);
  });

  it('is kept to be looked at with two others, however many there were', async () => {
    for (let epochs = 1; epochs <= 5; epochs++) {
      const { folder, newest } = await trainedOn('host', epochs);
      await putAside(folder, newest);
      expect((await damagedHere(folder)).length).toBe(Math.min(epochs, 3));
    }
  });
});

describe('a folder with a checkpoint of every batch', () => {
  const nameOf = (epoch: number, batch: number) => `epoch-${epoch}${batch > 0 ? `-batch-${batch}` : ''}`;
  const manifest = (epoch: number, batch: number): CheckpointManifest => ({
    ...{ name: nameOf(epoch, batch), epoch, batch, metrics: {}, files: [] },
    ...{ createdAt: '2026-01-01T00:00:00.000Z', session: 's' },
  });

  /** the ends of epochs 1 and 2, and 60 batches of the epoch after each. */
  async function full(): Promise<RunFolder> {
    const folder = await new RunFolders(join(scratch, 'host')).make('run');
    for (const epoch of [1, 2]) {
      for (let batch = 0; batch <= 60; batch++) {
        await mkdir(join(folder.checkpoints, nameOf(epoch, batch)));
        await writeFile(
          join(folder.checkpoints, nameOf(epoch, batch), 'checkpoint.json'),
          JSON.stringify(manifest(epoch, batch)),
        );
      }
    }
    return folder;
  }
  const toldTo = async (folder: RunFolder, epoch: number, ...checkpoints: string[]) =>
    (await readReport(folder, { epoch, checkpoints })).checkpoints.map(({ name }) => name);

  it('is told by the ends of epochs that the run has not passed, and the newest two within an epoch', async () => {
    const folder = await full();
    expect(await toldTo(folder, 0)).toEqual(['epoch-1', 'epoch-2', 'epoch-2-batch-59', 'epoch-2-batch-60']);
    expect(await toldTo(folder, 1, 'epoch-1')).toEqual(['epoch-2', 'epoch-2-batch-59', 'epoch-2-batch-60']);
    expect(await toldTo(folder, 2, 'epoch-2-batch-59')).toEqual(['epoch-2-batch-60']);
    expect(await toldTo(folder, 2, 'epoch-2-batch-60')).toEqual([]);
  });

  it('keeps nothing older than what is stored, but what the ledger has and what the run has not heard of', async () => {
    const folder = await full();
    const remove = (epoch: number, ...checkpoints: string[]) =>
      removePassed(folder, [manifest(2, 58)], { epoch, checkpoints }, new AbortController().signal);
    const newer = ['epoch-2-batch-58', 'epoch-2-batch-59', 'epoch-2-batch-60'];
    await remove(1, 'epoch-1-batch-7', 'epoch-2-batch-58');
    expect((await readdir(folder.checkpoints)).sort()).toEqual(['epoch-1-batch-7', 'epoch-2', ...newer]);
    await remove(2, 'epoch-2-batch-58');
    expect((await readdir(folder.checkpoints)).sort()).toEqual(newer);
  });

  it('that cannot be read is not taken for an empty one', async () => {
    const folder = await new RunFolders(join(scratch, 'host')).make('run');
    await rm(folder.checkpoints, { recursive: true });
    await expect(toldTo(folder, 0)).resolves.toEqual([]);
    await symlink(folder.checkpoints, folder.checkpoints);
    await expect(toldTo(folder, 0)).rejects.toThrow('ELOOP');
  });
});

it('a report tells each epoch since the last one, and the last notes, however long the files are', async () => {
  const { folder } = await trainedOn('host', 3_000);
  const told = async (epoch: number) => await readReport(folder, { epoch, checkpoints: [] });
  expect((await told(0)).epochs.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 3_000 }, (_, i) => i + 1));
  expect((await told(2_998)).epochs.map(({ epoch }) => epoch)).toEqual([2_999, 3_000]);
  const note = (index: number) => {
    const event = { type: 'note', message: `${index} ${'x'.repeat(3_000)}` };
    return `${JSON.stringify({ session: 's', at: '2026-01-01T00:00:00.000Z', event })}\n`;
  };
  await writeFile(folder.events, Array.from({ length: 1_000 }, (_, index) => note(index)).join(''));
  const { notes } = await told(3_000);
  expect(notes.map((message) => message.split(' ')[0])).toEqual(Array.from({ length: 50 }, (_, i) => `${950 + i}`));
});

it('a receipt of a publishing that was given up names what is in the store, and tells what is there no more', async () => {
  const store = openStore(join(scratch, 'store'));
  await store.prepare(false);
  const checkpoints = [];
  for (const epochs of [1, 2, 3]) {
    const { folder, newest } = await trainedOn(`host-${epochs}`, epochs);
    await storeCheckpoint(folder, newest, store, 'output', {});
    const files = await storedFiles(newest, store, 'output', {});
    checkpoints.push({ ...newest, files: files ?? [], reasons: [] });
  }
  const receipt = { checkpoints, notes: ['told before'] };
  expect(await withWhatIsStored(store, 'output', receipt)).toEqual(receipt);
  await store.remove('output/checkpoints/epoch-0001');
  await writeFile(join(scratch, 'store', 'output', 'checkpoints', 'epoch-0002', 'weights'), 'cut');
  const told = await withWhatIsStored(store, 'output', receipt);
  expect(told.checkpoints).toEqual(checkpoints.slice(2));
  expect(told.notes).toEqual([
    'told before',
    'stored earlier, and removed before publishing was given up: epoch-0001, epoch-0002',
  ]);
});

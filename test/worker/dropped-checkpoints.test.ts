/** What a host has of checkpoints that its run has dropped, while nothing can be stored. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { boundDropped } from '../../worker/dropped-checkpoints.ts';
import { type RunFolder, RunFolders } from '../../worker/run-folders.ts';

let data: string;
let folder: RunFolder;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'epochal-dropped-'));
  folder = new RunFolders(data).of('run');
});
afterEach(() => rm(data, { recursive: true, force: true }));

const nameOf = (epoch: number, batch = 0) => `epoch-${epoch}${batch ? `-batch-${batch}` : ''}`;
async function has(...positions: [epoch: number, batch?: number][]): Promise<void> {
  for (const [epoch, batch = 0] of positions) {
    const name = nameOf(epoch, batch);
    const manifest = { name, epoch, batch, metrics: {}, files: [], createdAt: '2026-01-01T00:00:00Z', session: 's' };
    await mkdir(join(folder.checkpoints, name), { recursive: true });
    await writeFile(join(folder.checkpoints, name, 'checkpoint.json'), JSON.stringify(manifest));
  }
}
const bound = (epoch: number, checkpoints: string[]) =>
  boundDropped(folder, { epoch, checkpoints }, new AbortController().signal);
const left = async () => (await readdir(folder.checkpoints)).sort();

it('has what the run keeps, the newest five that it dropped, and all that it has not heard of', async () => {
  const ends = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i): [number] => [from + i]);
  await has(...ends(1, 12));
  // 11 is known to have ended; of 12 the run has not heard.
  const kept = [nameOf(2), nameOf(10), nameOf(11)];
  expect(await bound(11, kept)).toBe(3);
  const expected = [...kept, ...[5, 6, 7, 8, 9, 12].map((epoch) => nameOf(epoch))].sort();
  expect(await left()).toEqual(expected);
  expect(await bound(11, kept)).toBe(0);
  expect(await left()).toEqual(expected);
});

it('of those within epochs, too, but for what is newer than all that the run knows', async () => {
  await has(...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((batch): [number, number] => [0, batch]));
  expect(await bound(0, [nameOf(0, 7)])).toBe(1);
  expect(await left()).toEqual([2, 3, 4, 5, 6, 7, 8, 9].map((batch) => nameOf(0, batch)));
});

it('touches nothing where the run knows none of them, or knows of no end of their epochs', async () => {
  await has([1], [2], [3], [4], [5], [6], [7], [8]);
  expect(await bound(8, [])).toBe(0);
  expect(await bound(8, ['another'])).toBe(0);
  expect(await bound(0, [nameOf(8)])).toBe(0);
  expect(await left()).toHaveLength(8);
});

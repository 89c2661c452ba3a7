/** Rows of batches belong to positions: none stays of what a run has not kept, wherever its files are. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { readText } from '../../stores/artifact-store.ts';
import { openFolder } from '../../stores/open-store.ts';
import { type RunFolder, RunFolders } from '../../worker/run-folders.ts';
import { cutBatchRows, mergedBatchRows, restoreOtherRows, storeOtherRows } from '../../worker/stored-rows.ts';

let data: string;
let folder: RunFolder;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'batch-rows-'));
  onTestFinished(() => rm(data, { recursive: true, force: true }));
  folder = await new RunFolders(data).make('r');
});

const line = (epoch: number, batch: number, loss = 1): string =>
  `${JSON.stringify({ epoch, batch, batches: 9, at: '2026-01-01T00:00:00.000Z', metrics: { loss }, addedLater: 1 })}\n`;
const placesOf = (text: string | null) =>
  (text ?? '')
    .trim()
    .split('\n')
    .map((row) => JSON.parse(row))
    .map(({ epoch, batch, metrics }) => [epoch, batch, metrics.loss]);

it('of two hosts are put together by position, the later one counts, and what another version added stays', () => {
  const text = mergedBatchRows([
    line(1, 1) + line(2, 1) + line(2, 4),
    null,
    `${line(2, 1, 5)}${line(1, 9)}{"epoch":3,"ba`,
  ]);
  expect(placesOf(text)).toEqual([
    [1, 1, 1],
    [1, 9, 1],
    [2, 1, 5],
    [2, 4, 1],
  ]);
  expect(text).toContain('"addedLater":1');
  // Batch 1 of the second epoch is the last that a checkpoint there has; the end of an epoch has all of its batches, and no more.
  expect(placesOf(mergedBatchRows([text], { epoch: 1, batch: 1 }))).toHaveLength(3);
  expect(placesOf(mergedBatchRows([text], { epoch: 1, batch: 0 }))).toHaveLength(2);
  expect(mergedBatchRows([text], { epoch: 0, batch: 0 })).toBe('');
});

it('go with a run to its next host, and of what is published none is beyond the newest checkpoint, here or in the store', async () => {
  const store = openFolder(join(data, 'store'));
  await store.prepare(false);
  const of = { store, output: 'p/r' };
  expect(await cutBatchRows({ ...of, folder: null }, { epoch: 1, batch: 0 })).toBeNull();
  await writeFile(folder.batches, line(1, 1) + line(1, 9) + line(2, 3) + line(2, 5));
  await storeOtherRows({ ...of, folder });
  const next = await new RunFolders(join(data, 'next')).make('r');
  await restoreOtherRows({ ...of, folder: next });
  expect(await readFile(next.batches, 'utf8')).toBe(await readFile(folder.batches, 'utf8'));
  const path = 'p/r/batches.jsonl';
  // What is as it has to be is published from the run folder, and whatever else is written to the store alone: the host's disk may be full.
  const here = await readFile(next.batches, 'utf8');
  expect(await cutBatchRows({ ...of, folder: next }, { epoch: 1, batch: 5 })).toBeNull();
  expect(await cutBatchRows({ ...of, folder: next }, { epoch: 1, batch: 3 })).toMatchObject({ path });
  expect(placesOf(await readText(store, path))).toEqual([
    [1, 1, 1],
    [1, 9, 1],
    [2, 3, 1],
  ]);
  expect(await readFile(next.batches, 'utf8')).toBe(here);
  for (const harmed of [here + line(1, 9), `${here}{"epoch":3,"ba`, here.trim(), `{}\n${here}`]) {
    await writeFile(next.batches, harmed);
    expect(await cutBatchRows({ ...of, folder: next }, { epoch: 2, batch: 0 })).toMatchObject({ path });
    expect(placesOf(await readText(store, path))).toHaveLength(4);
  }
  expect(await cutBatchRows({ ...of, folder: null }, { epoch: 1, batch: 0 })).toMatchObject({ path });
  expect(placesOf(await readText(store, path)).at(-1)).toEqual([1, 9, 1]);
  // A run folder that takes nothing costs these rows, and not the session.
  await rm(next.batches);
  await mkdir(next.batches);
  await restoreOtherRows({ ...of, folder: next });
});

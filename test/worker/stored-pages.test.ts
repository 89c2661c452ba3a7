/** A trainer's pages belong to positions, and files to the rows that name them: here, in the store, and on the next host. */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { type ArtifactStore, readText } from '../../stores/artifact-store.ts';
import { openFolder } from '../../stores/open-store.ts';
import { type RunFolder, RunFolders } from '../../worker/run-folders.ts';
import { landPages, mergedPageRows, restorePages, storePages } from '../../worker/stored-pages.ts';

const output = 'p/r';
let data: string;
let store: ArtifactStore;
let folder: RunFolder;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'pages-'));
  onTestFinished(() => rm(data, { recursive: true, force: true }));
  store = openFolder(join(data, 'store'));
  await store.prepare(false);
  folder = await folderOf('here');
});

const folderOf = async (host: string) => {
  const made = await new RunFolders(join(data, host)).make('r');
  await mkdir(join(made.path, 'pages'));
  return made;
};
const file = (number: number) => `pages/${String(number).repeat(32)}.png`;
const line = (epoch: number, batch: number, image = epoch, value = 1): string =>
  `${JSON.stringify({
    widget: 'images',
    epoch,
    position: { epoch: epoch - 1, batch },
    at: '2026-01-01T00:00:00.000Z',
    turn: epoch - 1,
    value,
    files: { [file(image)]: 6 },
    addedLater: 1,
  })}\n`;
async function show(where: RunFolder, rows: string, ...images: number[]) {
  await writeFile(join(where.path, 'pages.json'), '{"kind":"container"}');
  await writeFile(join(where.path, 'pages.jsonl'), rows);
  for (const image of images) await writeFile(join(where.path, file(image)), `image${image}`);
}
const epochsIn = (text: string | null) => mergedPageRows([text]).map(({ epoch }) => epoch);
const stored = async () => {
  const paths: string[] = [];
  for await (const { path } of store.list(output)) paths.push(path.slice(output.length + 1));
  return paths;
};

it('publishes what was shown up to the newest checkpoint, and neither rows nor files of what was trained in vain', async () => {
  const rows = line(1, 9) + line(2, 9) + line(2, 9, 2, 5) + line(3, 4);
  await show(folder, rows, 1, 2, 3, 7);
  const landed = await landPages({ folder, store, output }, { epoch: 2, batch: 0 });
  expect(landed.files.map(({ path }) => path)).toEqual([`${output}/pages.jsonl`]);
  const text = await readText(store, `${output}/pages.jsonl`);
  expect(epochsIn(text)).toEqual([1, 2]);
  expect(text).toContain('"addedLater":1');
  expect(text).toContain('"value":5');
  expect(
    [file(1), file(2), file(3), file(7), 'pages.json', 'pages.jsonl', 'artifacts/pages/x'].filter(landed.isLeftOut),
  ).toEqual([file(3), file(7), 'pages.jsonl']);
  // The run folder stays as it is: its disk may be full.
  expect(await readFile(join(folder.path, 'pages.jsonl'), 'utf8')).toBe(rows);
  const none = await landPages(
    { folder: await folderOf('none'), store: openFolder(join(data, 'store')), output: 'p/other' },
    { epoch: 2, batch: 0 },
  );
  expect([none.files, none.isLeftOut(file(1))]).toEqual([[], false]);
});

it('goes to the next host with its files, and lands from the store where the host is gone', async () => {
  await show(folder, `${line(1, 9)}${line(2, 9)}{"epoch":3,"ba`, 1, 2);
  await storePages({ folder, store, output });
  expect(await stored()).toEqual(['pages.json', 'pages.jsonl', file(1), file(2)].sort());
  const next = await folderOf('next');
  await show(next, line(2, 9, 8), 8);
  await restorePages({ folder: next, store, output });
  // Of two with one position that of the host which trained last counts.
  expect(
    mergedPageRows([await readFile(join(next.path, 'pages.jsonl'), 'utf8')]).map(({ files }) => Object.keys(files)[0]),
  ).toEqual([file(2), file(1)].sort());
  expect((await readdir(join(next.path, 'pages'))).sort()).toEqual(
    [file(1), file(2), file(8)].map((path) => path.slice(6)),
  );
  expect(await readFile(join(next.path, file(1)), 'utf8')).toBe('image1');
  // The run has gone back before the second epoch: its rows and its file go from the store.
  const gone = await landPages({ folder: null, store, output }, { epoch: 1, batch: 0 });
  expect(gone.files.map(({ path, size }) => [path.slice(output.length + 1), size > 0])).toEqual([
    ['pages.jsonl', true],
    [file(1), true],
    ['pages.json', true],
  ]);
  expect(await stored()).toEqual(['pages.json', 'pages.jsonl', file(1)].sort());
  // A folder that takes nothing costs these pages, and not the session.
  const full = await folderOf('full');
  await mkdir(join(full.path, 'pages.jsonl'));
  await restorePages({ folder: full, store, output });
});

it('names files that only the store has, and none that is on the host', async () => {
  await show(folder, line(1, 9) + line(2, 9), 1, 2);
  await storePages({ folder, store, output });
  const next = await folderOf('next');
  await show(next, line(1, 9) + line(2, 9), 2);
  const landed = await landPages({ folder: next, store, output }, { epoch: 2, batch: 0 });
  expect(landed.files.map(({ path }) => path.slice(output.length + 1))).toEqual(['pages.jsonl', file(1)]);
  expect(landed.isLeftOut(file(2))).toBe(false);
});

it('writes layout and rows again where they have changed, and not otherwise', async () => {
  await show(folder, line(1, 9), 1);
  const write = vi.spyOn(store, 'write');
  const written = async () => {
    write.mockClear();
    await storePages({ folder, store, output });
    return write.mock.calls.map(([path]) => path.slice(output.length + 1));
  };
  expect(await written()).toEqual(['pages.json', 'pages.jsonl']);
  expect(await written()).toEqual([]);
  await show(folder, line(1, 9) + line(2, 9), 2);
  expect(await written()).toEqual(['pages.jsonl']);
});

it('stores no file that a link leads to from elsewhere, and what else there is all the same', async () => {
  await show(folder, line(1, 9) + line(2, 9) + line(3, 9), 2);
  await writeFile(join(data, 'secret'), 'secret');
  await symlink(join(data, 'secret'), join(folder.path, file(1)));
  await mkdir(join(folder.path, file(3)));
  await storePages({ folder, store, output });
  expect(await stored()).toEqual(['pages.json', 'pages.jsonl', file(2)].sort());
});

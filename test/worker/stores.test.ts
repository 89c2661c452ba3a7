/** A host remembers its stores: one that is empty now is away, and a new run does not make it anew. */
import { mkdir, mkdtemp, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { markName } from '../../stores/store-mark.ts';
import { Stores } from '../../worker/stores.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-known-'));
  await mkdir(join(folder, 'data'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('a store is made for a first run, and not on the mount point of a disk that is away', async () => {
  const root = join(folder, 'store');
  const known = () => new Stores(root, join(folder, 'data'));
  const store = await known().of({});
  await mkdir(root); // as a user makes it
  await known().check(store);
  expect(await readdir(root)).toEqual([]);
  await known().prepare(store);
  await known().prepare(store);
  expect(await readdir(root)).toEqual([markName]);

  await rename(root, join(folder, 'away'));
  for (const mountPoint of [true, false]) {
    if (mountPoint) await mkdir(root);
    // One after the other: a rejection that nobody awaits yet would be an error of no test.
    for (const work of [() => known().check(store), () => known().prepare(store)]) {
      await expect(work()).rejects.toThrow(
        `the store ${root} is unavailable: it has no ${markName}. Is its disk mounted?`,
      );
    }
    if (mountPoint) await rmdir(root); // and nothing was left in it
  }
  await rename(join(folder, 'away'), root);
  await known().prepare(store);

  await rm(root, { recursive: true });
  await mkdir(root);
  await writeFile(join(root, markName), ''); // a person starts over there
  await known().prepare(store);
});

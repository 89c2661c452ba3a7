/** What is removed goes whole, and nothing else does. */
import { lstat, mkdir, mkdtemp, readdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { removeTree } from '../../stores/remove-tree.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-remove-tree-'));
  await mkdir(join(folder, 'other'));
  await writeFile(join(folder, 'other', 'stays'), 'x');
});

it('removes a folder with all that is in it, and none of what its links lead to', async () => {
  const gone = join(folder, 'gone');
  await mkdir(join(gone, 'a', 'b'), { recursive: true });
  await writeFile(join(gone, 'a', 'b', 'file'), 'x');
  await symlink(join(folder, 'other'), join(gone, 'a', 'link'));
  await removeTree(gone);
  expect(await readdir(folder)).toEqual(['other']);
  expect(await readdir(join(folder, 'other'))).toEqual(['stays']);
});

it('removes a file, and a link itself', async () => {
  await writeFile(join(folder, 'file'), 'x');
  await symlink(join(folder, 'other'), join(folder, 'link'));
  for (const name of ['file', 'link']) await removeTree(join(folder, name));
  expect(await readdir(folder)).toEqual(['other']);
  expect(await readdir(join(folder, 'other'))).toEqual(['stays']);
});

it('has nothing to do where nothing is, and goes on where somebody else removes the same', async () => {
  await removeTree(join(folder, 'nothing', 'there'));
  const gone = join(folder, 'gone');
  await mkdir(gone);
  for (let index = 0; index < 50; index++) await writeFile(join(gone, String(index)), 'x');
  await Promise.all([removeTree(gone), removeTree(gone), removeTree(gone)]);
  await expect(lstat(gone)).rejects.toThrow('ENOENT');
});

/** What is remembered of small files: never anything but what the disk holds. */
import { mkdtemp, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { UnchangedFiles } from '../../worker/unchanged-files.ts';

let folder: string;
let parsed: string[];
let files: UnchangedFiles<{ text: string }>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'unchanged-'));
  parsed = [];
  files = new UnchangedFiles((text) => {
    parsed.push(text);
    return text === 'half' ? null : { text };
  });
});
/** What was written is older than a moment by now. */
const grown = () => vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 10_000);
afterEach(() => vi.restoreAllMocks());
afterEach(() => rm(folder, { recursive: true, force: true }));

it('is parsed once while it stays, and again when it is written, replaced, or gone and back', async () => {
  const path = join(folder, 'a');
  expect(await files.read(path)).toBeNull();
  await writeFile(path, 'one');
  grown();
  for (let time = 0; time < 3; time++) expect(await files.read(path)).toEqual({ text: 'one' });
  expect(parsed).toEqual(['one']);
  // In place, as long as before.
  await writeFile(path, 'two');
  await utimes(path, 1, 1);
  expect(await files.read(path)).toEqual({ text: 'two' });
  await writeFile(join(folder, 'b'), 'new');
  await utimes(join(folder, 'b'), 1, 1);
  await rename(join(folder, 'b'), path);
  expect(await files.read(path)).toEqual({ text: 'new' });
  await rm(path);
  expect(await files.read(path)).toBeNull();
});

it('remembers nothing of what cannot be parsed, of large files and of links', async () => {
  await writeFile(join(folder, 'half'), 'half');
  const large = 'x'.repeat(1 << 17);
  await writeFile(join(folder, 'large'), large);
  await writeFile(join(folder, 'target'), 'one');
  grown();
  await symlink(join(folder, 'target'), join(folder, 'link'));
  for (let time = 0; time < 2; time++) {
    expect(await files.read(join(folder, 'half'))).toBeNull();
    expect(await files.read(join(folder, 'large'))).toEqual({ text: large });
    expect(await files.read(join(folder, 'link'))).toBeNull();
  }
  expect(parsed).toEqual(['half', large, 'half', large]);
});

it('does not remember what was written a moment ago: something else may be there by now, with the same times', async () => {
  const path = join(folder, 'a');
  await writeFile(path, 'one');
  const { ctimeMs } = await stat(path);
  for (const [later, times] of [
    [10, 2],
    [-10, 4],
    [100, 5],
  ] as const) {
    vi.spyOn(Date, 'now').mockReturnValue(ctimeMs + later);
    for (let time = 0; time < 2; time++) expect(await files.read(path)).toEqual({ text: 'one' });
    expect(parsed).toHaveLength(times);
  }
});

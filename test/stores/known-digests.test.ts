/** Digests that are remembered are those of what is there, also where two contents of one size were written within one step of the clock of files. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { digestFile } from '../../stores/file-digest.ts';
import { FileStore } from '../../stores/file-store.ts';
import { KnownDigests } from '../../stores/known-digests.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-known-digests-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

it('reads a file again that is young, and what is older once', async () => {
  const file = join(folder, 'file');
  const read = vi.fn(digestFile);
  const known = new KnownDigests(read);
  const digest = async () => (await known.of(file, {})).sha256;
  await writeFile(file, 'one');
  const { ctimeMs } = await stat(file);
  const now = vi.spyOn(Date, 'now').mockReturnValue(ctimeMs + 20);
  for (const time of [1, 2]) {
    expect(await digest()).toBe(sha256('one'));
    expect(read).toHaveBeenCalledTimes(time);
  }
  now.mockReturnValue(ctimeMs + 60);
  for (let time = 0; time < 3; time += 1) expect(await digest()).toBe(sha256('one'));
  expect(read).toHaveBeenCalledTimes(3);
  await writeFile(file, 'two');
  expect(await digest()).toBe(sha256('two'));
});

it('sees what another program writes in the same moment as we, and reads nothing twice that nobody touches', async () => {
  const store = new FileStore(folder, false);
  const known = new KnownDigests(() => Promise.reject(new Error('it is read')));
  const began = Date.now();
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    const { size, sha256: written } = await store.write(name, 'ours');
    // Not every file system gives what follows the same times: it is never those of what is remembered.
    expect((await stat(join(folder, name))).mtimeMs).toBeLessThan(began - 100);
    await known.put(join(folder, name), { size, sha256: written });
    expect((await known.of(join(folder, name), {})).sha256).toBe(written);
    writeFileSync(join(folder, name), 'them', { flag: 'r+' });
    expect((await store.verify(name))?.sha256).toBe(sha256('them'));
  }
});

/** A store that is unavailable, or another one than the run had: nothing is read, written or concluded. */
import { cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { OtherStoreError } from '../../stores/artifact-store.ts';
import { openFolder, openStore } from '../../stores/open-store.ts';
import { markName } from '../../stores/store-mark.ts';
import { folder, inStore, pathsIn, sha256, store, storeErrorOf } from './store-stage.ts';

describe('a store that is away', () => {
  /** What a mount point looks like without its disk, and what may stand in its place besides. */
  const ways: [string, (root: string) => Promise<unknown>][] = [
    ['does not exist', async () => undefined],
    ['is an empty folder', (root) => mkdir(root)],
    ['is a file', (root) => writeFile(root, 'in the way')],
  ];

  it.each(ways)('since it %s: every call says so, may be tried again, and leaves it as it is', async (_, make) => {
    await store.write('a/b', 'x');
    await rename(join(folder, 'store'), join(folder, 'moved'));
    await make(join(folder, 'store'));
    const before = await readdir(folder, { recursive: true });
    const file = join(folder, 'moved/a/b');
    const calls = [
      () => store.publish(file, 'a/c'),
      () => store.write('a/b', 'y'),
      () => store.read('a/b'),
      () => store.readPart('a/b', 0, 1),
      () => store.verify('a/b'),
      () => store.fetch('a/b', join(folder, 'fetched'), { size: 1, sha256: sha256('x') }),
      () => store.remove('a'),
      () => store.tidy('a'),
      () => pathsIn(store, 'a'),
      () => store.checkWritable(true),
      () => store.prepare(true),
    ];
    for (const call of calls) {
      const error = await storeErrorOf(call());
      expect(error.message).toContain(`the store ${join(folder, 'store')} is unavailable: it has no .epochal-store`);
      expect(error.retryable).toBe(true);
    }
    expect(await readdir(folder, { recursive: true })).toEqual(before);
    await rm(join(folder, 'store'), { recursive: true, force: true });
    await rename(join(folder, 'moved'), join(folder, 'store'));
    expect(await pathsIn(store, 'a')).toEqual(['a/b']);
  });

  it('since another one is in its place: every call names both, may be tried again, and leaves it as it is', async () => {
    await store.write('a/b', 'x');
    const identity = (await store.identity()) ?? '';
    // Whatever was read of the mark before is no longer so.
    const pinned = openStore(join(folder, 'store'), identity);
    expect(await pathsIn(pinned, 'a')).toEqual(['a/b']);
    await rename(join(folder, 'store'), join(folder, 'own'));
    const other = openStore(join(folder, 'store'));
    await other.prepare(false);
    const otherIdentity = (await other.identity()) ?? '';
    expect(otherIdentity).not.toBe(identity);
    const calls = [
      () => pinned.publish(join(folder, 'own/a/b'), 'a/c'),
      () => pinned.write('a/b', 'y'),
      () => pinned.read('a/b'),
      () => pinned.verify('a/b'),
      () => pinned.fetch('a/b', join(folder, 'fetched'), { size: 1, sha256: sha256('x') }),
      () => pinned.remove('a'),
      () => pathsIn(pinned, 'a'),
      () => pinned.prepare(false),
      () => pinned.identity(),
    ];
    for (const call of calls) {
      const error = await storeErrorOf(call());
      expect(error).toBeInstanceOf(OtherStoreError);
      expect(error.message).toContain(identity);
      expect(error.message).toContain(otherIdentity);
      expect(error.retryable).toBe(true);
    }
    expect(await readdir(join(folder, 'store'))).toEqual([markName]);
    // The same store elsewhere is the same store.
    expect(await pathsIn(openStore(join(folder, 'own'), identity), 'a')).toEqual(['a/b']);
  });

  it('while it is listed: the listing does not pass for a whole one', async () => {
    for (const name of ['a', 'b']) await store.write(`x/${name}/1`, 'x');
    const listing = store.list('x')[Symbol.asyncIterator]();
    expect((await listing.next()).value).toMatchObject({ path: 'x/a/1' });
    await rename(join(folder, 'store'), join(folder, 'moved'));
    const rest = async () => {
      while (!(await listing.next()).done);
    };
    expect((await storeErrorOf(rest())).message).toContain('is unavailable');
  });

  it('is none where only a folder out of a store is read', async () => {
    await store.write('a/b/c', 'x');
    await cp(inStore('a'), join(folder, 'copy'), { recursive: true });
    expect(await pathsIn(openFolder(join(folder, 'copy')), 'b')).toEqual(['b/c']);
    expect(await pathsIn(openFolder(join(folder, 'none')), 'b')).toEqual([]);
  });
});

describe('what is a store', () => {
  it('is told by what was written into it, too: a copy may lack the mark', async () => {
    await store.write('experiments/a/b', 'x');
    await rm(inStore(markName));
    expect(await pathsIn(store, 'experiments')).toEqual(['experiments/a/b']);
  });
});

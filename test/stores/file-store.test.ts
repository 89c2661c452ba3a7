/** The file store on real files: whole and verified, or not there. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { mkdir, readdir, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { markName } from '../../stores/store-mark.ts';
import { expectBytes, folder, inStore, local, parts, pathsIn, sha256, store, storeErrorOf } from './store-stage.ts';

describe('publishing', () => {
  it('copies a file of several buffers, and says its size and sha256', async () => {
    const bytes = randomBytes(5_000_001);
    let moved = 0;
    const published = await store.publish(await local('weights', bytes), 'experiments/p/r/weights.bin', {
      onBytes: (count) => {
        moved += count;
      },
    });
    expect(published).toEqual({ path: 'experiments/p/r/weights.bin', size: bytes.length, sha256: sha256(bytes) });
    await expectBytes(inStore(published.path), bytes);
    expect(moved).toBe(bytes.length);
    expect(await parts(inStore('experiments/p/r'))).toEqual([]);
  });

  it('copies an empty file', async () => {
    expect(await store.publish(await local('empty', ''), 'a/empty')).toEqual({
      path: 'a/empty',
      size: 0,
      sha256: sha256(''),
    });
  });

  it('does not write again what is there, known by its bytes', async () => {
    const file = await local('weights', randomBytes(100_000));
    const first = await store.publish(file, 'a/weights');
    const before = await stat(inStore('a/weights'));
    let moved = 0;
    const again = await store.publish(file, 'a/weights', {
      onBytes: (count) => {
        moved += count;
      },
    });
    expect(again).toEqual(first);
    expect((await stat(inStore('a/weights'))).ino).toBe(before.ino);
    expect(moved).toBe(100_000);
  });

  it('replaces a copy of the same size with other bytes, and a truncated one', async () => {
    const bytes = randomBytes(100_000);
    const file = await local('weights', bytes);
    await store.publish(file, 'a/weights');
    await writeFile(inStore('a/weights'), randomBytes(100_000));
    await store.publish(file, 'a/weights');
    await expectBytes(inStore('a/weights'), bytes);
    await truncate(inStore('a/weights'), 10);
    await store.publish(file, 'a/weights');
    await expectBytes(inStore('a/weights'), bytes);
  });

  it('leaves nothing behind when it is aborted, and throws the reason', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const work = store.publish(await local('weights', randomBytes(20_000_000)), 'a/weights', {
      signal: controller.signal,
      onBytes: () => controller.abort(reason),
    });
    await expect(work).rejects.toBe(reason);
    expect(await readdir(inStore('a'))).toEqual([]);
  });

  it('takes many files into the same new folder at once', async () => {
    const file = await local('weights', randomBytes(1000));
    await Promise.all(Array.from({ length: 20 }, (_, index) => store.publish(file, `deep/er/still/${index}`)));
    expect(await pathsIn(store, 'deep')).toHaveLength(20);
  });

  it('survives two publishers of one path', async () => {
    const bytes = randomBytes(3_000_000);
    const file = await local('weights', bytes);
    await Promise.all([store.publish(file, 'a/weights'), store.publish(file, 'a/weights')]);
    expect(await readdir(inStore('a'))).toEqual(['weights']);
    await expectBytes(inStore('a/weights'), bytes);
  });
});

describe('a crash in the middle of a publish', () => {
  it('leaves the file before it, is not listed, and is cleaned up by the next publish of that path', async () => {
    const old = randomBytes(1000);
    await store.publish(await local('old', old), 'a/weights');
    const size = 200_000_000;
    const fresh = await local('new', '');
    await truncate(fresh, size);
    await mkdir(inStore('a'), { recursive: true });
    const child = spawn(
      process.execPath,
      [
        '--import',
        'tsx',
        fileURLToPath(new URL('./publish-a-file.ts', import.meta.url)),
        join(folder, 'store'),
        fresh,
        'a/weights',
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    // It says so when the first bytes have moved.
    await new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    const [part = ''] = await parts(inStore('a'));
    expect(part).not.toBe('');
    expect((await stat(inStore(`a/${part}`))).size).toBeLessThanOrEqual(size);
    await expectBytes(inStore('a/weights'), old);
    expect(await pathsIn(store, 'a')).toEqual(['a/weights']);

    const bytes = randomBytes(2000);
    await store.publish(await local('next', bytes), 'a/weights');
    expect(await readdir(inStore('a'))).toEqual(['weights']);
    await expectBytes(inStore('a/weights'), bytes);
  });

  it('leaves parts of other files, and fresh parts of other hosts, alone', async () => {
    await store.write('a/weights', 'x');
    const child = `${process.pid}`;
    const mine = (await partName('weights')).replace(`-${child}-`, '-1-');
    const other = mine.replace(/-[0-9a-f]{12}-1-/, '-000000000000-1-');
    const old = other.replace(/.$/, 'z');
    for (const name of [other, old]) await writeFile(inStore(`a/${name}`), 'half');
    const longAgo = new Date(Date.now() - 3 * 3600 * 1000);
    await utimes(inStore(`a/${old}`), longAgo, longAgo);
    await store.write('a/weights', 'y');
    expect(await parts(inStore('a'))).toEqual([other]);
    await store.write('a/unrelated', 'y');
    expect(await parts(inStore('a'))).toEqual([other]);
  });

  /** The name of a part of this process, seen while it grows. */
  async function partName(name: string): Promise<string> {
    let seen = '';
    await store.publish(await local('seen', 'x'), `b/${name}`, {
      onBytes: () => {
        [seen = ''] = readdirSync(inStore('b'));
      },
    });
    return seen;
  }
});

describe('reading', () => {
  it('fetches what has the expected bytes to a file that was not there', async () => {
    const bytes = randomBytes(3_000_000);
    const published = await store.publish(await local('weights', bytes), 'a/weights');
    await store.fetch('a/weights', join(folder, 'copy'), published);
    await expectBytes(join(folder, 'copy'), bytes);
    const error = await storeErrorOf(store.fetch('a/weights', join(folder, 'copy'), published));
    expect(error.message).toBe(`cannot fetch to ${join(folder, 'copy')}: it exists already`);
  });

  it('fetches nothing when the bytes are others', async () => {
    const published = await store.write('a/weights', 'abc');
    await writeFile(inStore('a/weights'), 'abd');
    const error = await storeErrorOf(store.fetch('a/weights', join(folder, 'copy'), published));
    expect(error.message).toMatch(
      /a\/weights is damaged: 3 bytes with sha256 [0-9a-f]{12}… where 3 bytes with sha256 ba7816bf8f01… is expected$/,
    );
    expect(error.retryable).toBe(false);
    expect((await readdir(folder)).sort()).toEqual(['store']);
  });

  it('reads, verifies and lists in order of path', async () => {
    for (const path of ['a/b/2', 'a/b.txt', 'a/b-1', 'a/b/10', 'a/z']) await store.write(path, path);
    expect(await pathsIn(store, 'a')).toEqual(['a/b-1', 'a/b.txt', 'a/b/10', 'a/b/2', 'a/z']);
    expect(Buffer.from((await store.read('a/z')) ?? []).toString()).toBe('a/z');
    expect(await store.verify('a/z')).toEqual({ path: 'a/z', size: 3, sha256: sha256('a/z') });
  });

  it('says null or nothing where nothing is', async () => {
    for (const path of ['a', 'a/b/c']) {
      expect(await store.read(path)).toBeNull();
      expect(await store.verify(path)).toBeNull();
      expect(await pathsIn(store, path)).toEqual([]);
      await store.remove(path);
    }
    const error = await storeErrorOf(store.fetch('a', join(folder, 'x'), { size: 0, sha256: sha256('') }));
    expect(error.message).toBe(`cannot fetch ${inStore('a')}: it does not exist`);
    expect(await readdir(folder)).toEqual(['store']);
  });

  it('removes a file, and a folder with all below it', async () => {
    await store.write('a/b/c', 'x');
    await store.write('a/d', 'x');
    await store.remove('a/b');
    expect(await pathsIn(store, 'a')).toEqual(['a/d']);
    await store.remove('a');
    expect(await readdir(join(folder, 'store'))).toEqual([markName]);
  });
});

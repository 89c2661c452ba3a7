/** Paths and addresses of a file store: what is refused, and errors that say what to do. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { StoreError } from '../../stores/artifact-store.ts';
import { openStore } from '../../stores/open-store.ts';
import { markName } from '../../stores/store-mark.ts';
import { folder, inStore, local, pathsIn, sha256, store, storeErrorOf } from './store-stage.ts';

const run = promisify(execFile);

describe('a path', () => {
  it.each(['', '/etc/passwd', '../x', 'a/../../x', 'a//b', './a', 'a/.', 'a\0b', 'a\\b', 'x'.repeat(10_000)])(
    '%.30s is refused by every call',
    async (path) => {
      const file = await local('x', 'x');
      const calls = [
        () => store.publish(file, path),
        () => store.write(path, 'x'),
        () => store.read(path),
        () => store.verify(path),
        () => store.fetch(path, join(folder, 'y'), { size: 1, sha256: sha256('x') }),
        () => store.remove(path),
        () => pathsIn(store, path),
      ];
      for (const call of calls) {
        const error = await storeErrorOf(call());
        expect(error.message).toMatch(/^path is ".*": /);
        expect(error.message.length).toBeLessThan(300);
        expect(error.retryable).toBe(false);
      }
      expect(await readdir(folder)).toEqual(['store', 'x']);
    },
  );

  it('does not lead out of the store through a symbolic link', async () => {
    await mkdir(join(folder, 'outside'));
    await writeFile(join(folder, 'outside/secret'), 'secret');
    await store.write('a/b', 'x');
    await symlink(join(folder, 'outside'), inStore('link'));
    await symlink(join(folder, 'outside/secret'), inStore('a/secret'));
    const file = await local('x', 'x');
    const calls = [
      () => store.publish(file, 'link/x'),
      () => store.write('link/deep/x', 'x'),
      () => store.read('link/secret'),
      () => store.read('a/secret'),
      () => store.verify('a/secret'),
      () => store.remove('link/secret'),
      () => pathsIn(store, 'link'),
    ];
    for (const call of calls) {
      const error = await storeErrorOf(call());
      expect(error.message).toContain('leads out of the store through a symbolic link');
      expect(error.retryable).toBe(false);
    }
    expect(await readdir(join(folder, 'outside'))).toEqual(['secret']);
    // A link at the end is replaced or removed itself; what it points to stays.
    await store.write('a/secret', 'mine');
    expect(await readFile(join(folder, 'outside/secret'), 'utf8')).toBe('secret');
    expect(await readFile(inStore('a/secret'), 'utf8')).toBe('mine');
    await store.remove('link');
    expect(await readdir(join(folder, 'outside'))).toEqual(['secret']);
    expect(await pathsIn(store, 'a')).toEqual(['a/b', 'a/secret']);
  });

  it('may lie in a store that is reached through a symbolic link itself', async () => {
    await mkdir(join(folder, 'real'));
    await symlink(join(folder, 'real'), join(folder, 'alias'));
    const alias = openStore(join(folder, 'alias'));
    await alias.prepare(false);
    await alias.write('a/b', 'x');
    expect(await readFile(join(folder, 'real/a/b'), 'utf8')).toBe('x');
  });
});

describe('what cannot be written', () => {
  it('names a store whose parent folder is missing, and may be tried again', async () => {
    const error = await storeErrorOf(openStore('/no/such/mount/store').checkWritable(false));
    expect(error.message).toBe('cannot make /no/such/mount/store: /no/such/mount does not exist');
    expect(error.retryable).toBe(true);
  });

  it('names a file where a folder is needed', async () => {
    const file = await local('file', 'x');
    expect((await storeErrorOf(openStore(join(file, 'store')).checkWritable(false))).message).toContain(
      'a file is where a folder is needed (ENOTDIR)',
    );
    const error = await storeErrorOf(openStore(file).checkWritable(false));
    expect(error.message).toBe(`cannot write in ${file}: a file is where a folder is needed (ENOTDIR)`);
    await store.write('a', 'x');
    expect((await storeErrorOf(store.write('a/b', 'x'))).message).toContain('a file is where a folder is needed');
    await store.write('f/b', 'x');
    expect((await storeErrorOf(store.write('f', 'x'))).message).toBe(`cannot write ${inStore('f')}: a folder is there`);
  });

  it('names a local file that is missing, a folder, or a pipe, and does not wait for the pipe', async () => {
    expect((await storeErrorOf(store.publish(join(folder, 'none'), 'a'))).message).toBe(
      `cannot read ${join(folder, 'none')}: it does not exist (ENOENT)`,
    );
    expect((await storeErrorOf(store.publish(folder, 'a'))).message).toBe(
      `cannot read ${folder}: it is not a regular file`,
    );
    await run('mkfifo', [join(folder, 'pipe')]);
    expect((await storeErrorOf(store.publish(join(folder, 'pipe'), 'a'))).message).toContain(
      'it is not a regular file',
    );
  });

  it('leaves no probe behind, and no store that was only asked about', async () => {
    await store.checkWritable(false);
    expect(await readdir(join(folder, 'store'))).toEqual([markName]);
    await openStore(join(folder, 'new')).checkWritable(false);
    expect(await readdir(folder)).toEqual(['store']);
  });

  it('says that a folder is read-only', async (context) => {
    const immutable =
      process.getuid?.() === 0
        ? () => run('chattr', ['+i', join(folder, 'store')])
        : () => run('chmod', ['a-w', join(folder, 'store')]);
    try {
      await immutable();
    } catch {
      return context.skip('this file system knows no immutable folders');
    }
    try {
      const error = await storeErrorOf(store.checkWritable(false));
      expect(error.message).toMatch(
        /^cannot write in .*: (operation not permitted \(EPERM\)|permission denied \(EACCES\))$/,
      );
      expect(error.retryable).toBe(true);
      await storeErrorOf(store.write('a/b', 'x'));
    } finally {
      await run('chattr', ['-i', join(folder, 'store')]).catch(() => run('chmod', ['u+w', join(folder, 'store')]));
    }
  });

  it('says that a disk is full, keeps the copy before, and goes on when there is space', async (context) => {
    try {
      await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', join(folder, 'store')]);
    } catch {
      return context.skip('this user may not mount a file system');
    }
    try {
      await store.prepare(false);
      await store.write('a/weights', 'before');
      const large = await local('large', randomBytes(2_000_000));
      const error = await storeErrorOf(store.publish(large, 'a/weights'));
      expect(error.message).toBe(`cannot write ${inStore('a/weights')}: no space left on its disk (ENOSPC)`);
      expect(error.retryable).toBe(true);
      expect(await readdir(inStore('a'))).toEqual(['weights']);
      expect(Buffer.from((await store.read('a/weights')) ?? []).toString()).toBe('before');
      await writeFile(inStore('filler'), Buffer.alloc(1_000_000));
      await storeErrorOf(
        writeFile(inStore('filler2'), Buffer.alloc(1_000_000)).catch((cause) =>
          Promise.reject(new StoreError(String(cause), true)),
        ),
      );
      expect((await storeErrorOf(store.checkWritable(false))).message).toContain('no space left on its disk');
      await rm(inStore('filler'));
      await rm(inStore('filler2'), { force: true });
      await store.checkWritable(false);
      await run('mount', ['-o', 'remount,ro', join(folder, 'store')]);
      expect((await storeErrorOf(store.checkWritable(false))).message).toContain(
        'its file system is mounted read-only (EROFS)',
      );
    } finally {
      await run('umount', [join(folder, 'store')]);
    }
  });
});

describe('an address', () => {
  it('is an absolute path or a file: address', async () => {
    expect(openStore('/data/store/').address).toBe('/data/store');
    expect(openStore('file:///data/my%20store').address).toBe('/data/my store');
    expect(openStore('FILE:///data').address).toBe('/data');
    expect(dirname(openStore('/data//x/../store').address)).toBe('/data');
  });

  it.each([
    [
      'store',
      'it is not an absolute path; a store is an absolute path, a file: address, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or teamfiles:/FOLDER',
    ],
    [
      '~/store',
      'it is not an absolute path; a store is an absolute path, a file: address, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or teamfiles:/FOLDER',
    ],
    [
      '',
      'it is not an absolute path; a store is an absolute path, a file: address, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or teamfiles:/FOLDER',
    ],
    [
      'ftp://host/path',
      'there is no store for "ftp:" addresses; a store is an absolute path, a file: address, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or teamfiles:/FOLDER',
    ],
    [
      'constructor:x',
      'there is no store for "constructor:" addresses; a store is an absolute path, a file: address, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or teamfiles:/FOLDER',
    ],
    ['file://host/path', 'it is not a valid file: address; one looks like file:///data/store'],
    ['/data\0/x', 'its path has a NUL character'],
  ])('%j is refused', (address, message) => {
    expect(() => openStore(address)).toThrow(expect.objectContaining({ message, retryable: false }));
  });
});

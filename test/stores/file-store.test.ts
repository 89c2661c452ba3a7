/** The file store on real files: whole and verified, or not there; and errors that say what to do. */
import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ArtifactStore, OtherStoreError, StoreError } from '../../stores/artifact-store.ts';
import { openFolder, openStore } from '../../stores/open-store.ts';
import { markName } from '../../stores/store-root.ts';

const run = promisify(execFile);
const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

let folder: string;
let store: ArtifactStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-store-'));
  store = openStore(join(folder, 'store'));
  await store.prepare(false);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const inStore = (path: string) => join(folder, 'store', path);
const pathsIn = async (at: ArtifactStore, path: string) => {
  const paths: string[] = [];
  for await (const file of at.list(path)) paths.push(file.path);
  return paths;
};
async function local(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(join(folder, name), content);
  return join(folder, name);
}
/** By digest: comparing buffers of megabytes element by element takes a minute. */
async function expectBytes(file: string, bytes: Uint8Array): Promise<void> {
  expect(sha256(await readFile(file))).toBe(sha256(bytes));
}
const parts = async (at: string) => (await readdir(at)).filter((name) => name.startsWith('.epochal-part-'));
async function storeErrorOf(work: Promise<unknown>): Promise<StoreError> {
  const error = await work.then(
    () => expect.fail('nothing was thrown'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StoreError);
  return error as StoreError;
}

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
    await rename(join(folder, 'store'), join(folder, 'own'));
    const other = openStore(join(folder, 'store'));
    await other.prepare(false);
    const otherIdentity = (await other.identity()) ?? '';
    expect(otherIdentity).not.toBe(identity);
    const pinned = openStore(join(folder, 'store'), identity);
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
    expect((await storeErrorOf(rest())).message).toContain('is away');
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
    ['store', 'it is not an absolute path; a store is an absolute path or a file: address'],
    ['~/store', 'it is not an absolute path; a store is an absolute path or a file: address'],
    ['', 'it is not an absolute path; a store is an absolute path or a file: address'],
    ['ftp://host/path', 'there is no store for "ftp:" addresses; a store is an absolute path or a file: address'],
    ['constructor:x', 'there is no store for "constructor:" addresses; a store is an absolute path or a file: address'],
    ['file://host/path', 'it is not a valid file: address; one looks like file:///data/store'],
    ['/data\0/x', 'its path has a NUL character'],
  ])('%j is refused', (address, message) => {
    expect(() => openStore(address)).toThrow(expect.objectContaining({ message, retryable: false }));
  });
});

/** What every store promises, whatever is behind it. */
import { createHash, randomBytes } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type ArtifactStore, DamagedError, StoreError } from '../../../stores/artifact-store.ts';

export interface Stage {
  /** One that was prepared. */
  store: () => ArtifactStore;
  /** The same one, as another process has it; `identity`: the one that is meant. */
  again: (identity?: string) => ArtifactStore;
  folder: () => string;
  local: (name: string, content: string | Uint8Array) => Promise<string>;
  /** Bytes: more than one part of an upload, and no multiple of one. */
  large?: number;
}

export const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
const pathsIn = async (store: ArtifactStore, folder: string) => {
  const found: string[] = [];
  for await (const { path } of store.list(folder)) found.push(path);
  return found;
};

export function storeContract({ store, again, folder, local, large = 40_000_001 }: Stage): void {
  it.each([0, 1, 100_000, large])(
    'has a file of %i bytes as it was, and says so without being asked twice',
    async (size) => {
      const bytes = randomBytes(size);
      let moved = 0;
      const published = await store().publish(await local('file', bytes), 'experiments/p/r/weights.bin', {
        onBytes: (count) => (moved += count),
      });
      const expected = { path: 'experiments/p/r/weights.bin', size, sha256: sha256(bytes) };
      expect(published).toEqual(expected);
      expect(moved).toBe(size);
      expect(await again().verify(published.path)).toEqual(expected);
      await again().fetch(published.path, join(folder(), 'back'), expected);
      expect(sha256(await readFile(join(folder(), 'back')))).toBe(expected.sha256);
      expect(await pathsIn(again(), 'experiments')).toEqual([published.path]);
    },
  );

  it('has the newest of several files under a name, of the same size, larger and smaller', async () => {
    for (const size of [1000, 1000, large, large, 500]) {
      const bytes = randomBytes(size);
      const published = await store().publish(await local('file', bytes), 'a/file');
      expect(published.sha256).toBe(sha256(bytes));
      expect(await again().verify('a/file')).toEqual(published);
      expect(sha256((await again().read('a/file')) ?? '')).toBe(sha256(bytes));
    }
  });

  it('has one of two files that are published under a name at once, and both publishers succeed', async () => {
    const files = await Promise.all([0, 1].map((index) => local(`file-${index}`, randomBytes(large))));
    const published = await Promise.all(
      files.map((file, index) => (index ? again() : store()).publish(file, 'a/file')),
    );
    expect(published.map((one) => one.sha256)).toContain((await again().verify('a/file'))?.sha256);
  });

  it('writes small content, reads it, and says null where nothing is', async () => {
    const text = 'ä row\n';
    expect(await store().write('a/rows.jsonl', text)).toEqual({ path: 'a/rows.jsonl', size: 7, sha256: sha256(text) });
    expect(Buffer.from((await again().read('a/rows.jsonl')) ?? []).toString()).toBe(text);
    expect(await store().read('a/none')).toBeNull();
    expect(await store().verify('a/none')).toBeNull();
    expect(await store().readPart('a/none', 0, 10)).toBeNull();
    expect(await pathsIn(store(), 'none')).toEqual([]);
    await expect(
      store().fetch('a/none', join(folder(), 'none'), { size: 1, sha256: sha256('x') }),
    ).rejects.toBeInstanceOf(StoreError);
  });

  it('reads parts: none, from the start, the middle, over the end, behind it', async () => {
    await store().write('a/letters', 'abcdefghij');
    const part = async (offset: number, length: number) => {
      const found = await again().readPart('a/letters', offset, length);
      return found && `${Buffer.from(found.bytes).toString()} of ${found.size}`;
    };
    expect(await part(0, 0)).toBe(' of 10');
    expect(await part(0, 3)).toBe('abc of 10');
    expect(await part(4, 2)).toBe('ef of 10');
    expect(await part(8, 100)).toBe('ij of 10');
    expect(await part(10, 5)).toBe(' of 10');
    expect(await part(99, 5)).toBe(' of 10');
  });

  it('creates what is not there, for one of many who try at once', async () => {
    const tries = Array.from({ length: 12 }, (_, index) =>
      (index % 2 ? again() : store()).create('a/claim', `${index}`),
    );
    const succeeded = (await Promise.all(tries)).flatMap((isFirst, index) => (isFirst ? [index] : []));
    expect(succeeded).toHaveLength(1);
    expect(Buffer.from((await store().read('a/claim')) ?? []).toString()).toBe(`${succeeded[0]}`);
    expect(await again().create('a/claim', 'late')).toBe(false);
  });

  it('lists below a folder alone, in order of path', async () => {
    const paths = ['a/10', 'a/2', 'a/b/c', 'a/b.txt', 'ab/1'];
    for (const path of paths) await store().write(path, path);
    expect(await pathsIn(again(), 'a')).toEqual(['a/10', 'a/2', 'a/b.txt', 'a/b/c']);
    expect(await pathsIn(again(), 'a/b')).toEqual(['a/b/c']);
  });

  it('removes a file, a folder with all below it, and nothing beside them', async () => {
    await store().publish(await local('file', randomBytes(large)), 'a/b/large');
    for (const path of ['a/b/1', 'a/b/c/2', 'a/bc', 'a/d']) await store().write(path, 'x');
    await again().remove('a/b');
    await again().remove('a/d');
    await again().remove('a/none');
    expect(await pathsIn(store(), 'a')).toEqual(['a/bc']);
    expect(await store().verify('a/b/large')).toBeNull();
  });

  it('fetches nothing where the bytes are others than expected, or something is in the way', async () => {
    const { size } = await store().publish(await local('file', 'bytes'), 'a/file');
    const wanted = { size, sha256: sha256('others') };
    await expect(store().fetch('a/file', join(folder(), 'back'), wanted)).rejects.toBeInstanceOf(DamagedError);
    await expect(readFile(join(folder(), 'back'))).rejects.toThrow('ENOENT');
    await expect(store().fetch('a/file', join(folder(), 'file'), wanted)).rejects.toThrow('it exists already');
  });

  it('leaves nothing under a name when it is aborted, and throws the reason', async () => {
    const [controller, reason] = [new AbortController(), new Error('enough')];
    const options = { signal: controller.signal, onBytes: () => controller.abort(reason) };
    await expect(store().publish(await local('file', randomBytes(large)), 'a/file', options)).rejects.toBe(reason);
    expect(await pathsIn(store(), 'a')).toEqual([]);
    expect(await store().verify('a/file')).toBeNull();
  });

  it('says which store it is, and refuses every call where another one is meant', async () => {
    const identity = (await store().identity()) ?? '';
    expect(identity).not.toBe('');
    await again().prepare(true);
    expect(await again(identity).identity()).toBe(identity);
    await again(identity).checkWritable(true);
    const file = await local('file', 'x');
    const other = () => again('another');
    for (const call of [
      () => other().checkWritable(true),
      () => other().prepare(true),
      () => other().identity(),
      () => other().publish(file, 'a/file'),
      () => other().write('a/file', 'x'),
      () => other().create('a/file', 'x'),
      () => other().read('a/file'),
      () => other().readPart('a/file', 0, 1),
      () => other().verify('a/file'),
      () => other().fetch('a/file', join(folder(), 'back'), { size: 1, sha256: sha256('x') }),
      () => pathsIn(other(), 'a'),
      () => other().remove('a'),
      () => other().tidy('a'),
    ])
      await expect(call()).rejects.toThrow(`its identity is ${identity}, and that of the store of this run is another`);
    expect(await pathsIn(store(), 'a')).toEqual([]);
  });

  it('leaves nothing behind when it is asked whether it can be written', async () => {
    await again().checkWritable(true);
    await again().checkWritable(false);
    await store().tidy('a');
    expect(await pathsIn(store(), 'a')).toEqual([]);
  });

  it.each(['', '/', '../up', 'a/../b', 'a//b', '/abs', 'a/', './a', 'a\\b', 'a\0b', 'x'.repeat(1100)])(
    'takes no path that leads elsewhere: %j',
    async (path) => {
      for (const call of [() => store().write(path, 'x'), () => store().read(path), () => store().remove(path)]) {
        const error = await call().then(
          () => null,
          (thrown: unknown) => thrown,
        );
        expect(error).toBeInstanceOf(StoreError);
        expect((error as StoreError).retryable).toBe(false);
      }
    },
  );

  it('says that a local file is missing, and that one is not a file', async () => {
    await expect(store().publish(join(folder(), 'none'), 'a/x')).rejects.toThrow('it does not exist');
    await expect(store().publish(folder(), 'a/x')).rejects.toThrow('it is not a regular file');
  });

  it('stores what a file is, when it is stored: one that is cut short meanwhile fails', async () => {
    const file = await local('file', randomBytes(large));
    let isFirst = true;
    const shorten = async () => {
      const handle = await open(file, 'r+');
      await handle.truncate(large - 10);
      await handle.close();
    };
    let shortened: Promise<void> | undefined;
    const work = store().publish(file, 'a/file', {
      onBytes: () => {
        if (isFirst) shortened = shorten();
        isFirst = false;
      },
    });
    const published = await work.catch((error: unknown) => error);
    await shortened;
    // Either in time for all of it, or not at all.
    if (published instanceof Error) expect(await store().verify('a/file')).toBeNull();
    else expect(await store().verify('a/file')).toEqual(published);
  });
}

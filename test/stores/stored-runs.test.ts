/** Runs of a store: found, verified, copied into another one, and what no receipt of theirs names. */
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type ArtifactStore, readText } from '../../stores/artifact-store.ts';
import { copyRun } from '../../stores/copied-run.ts';
import { fileList, mostNamed, namedOf } from '../../stores/file-list.ts';
import { forEach } from '../../stores/for-each.ts';
import { loneFiles } from '../../stores/lone-files.ts';
import { openStore } from '../../stores/open-store.ts';
import { type Landed, landingOf, type StoredRun, storedRuns, whyAwaited } from '../../stores/stored-runs.ts';
import { removeUnnamed, type Unnamed, unnamedFiles } from '../../stores/unnamed-files.ts';
import { verifyRun } from '../../stores/verified-run.ts';
import { landRun, putCheckpoint } from './landed-run.ts';
import { MemoryBucket, storeIn } from './memory-bucket.ts';
import { folder, inStore, pathsIn, sha256, store, storeErrorOf } from './store-stage.ts';

const files = { 'metrics.jsonl': '{"epoch":1}\n', 'config.yaml': 'epochs: 1\n', 'artifacts/model.txt': 'a model' };
const landingAt = async (id: string) => {
  for await (const run of storedRuns(store, [id])) return landingOf(store, run);
  throw new Error(`no ${id}`);
};
const ids = async (chosen: string[] = []) => {
  const found: string[] = [];
  for await (const { id } of storedRuns(store, chosen)) found.push(id);
  return found;
};
async function landed(id: string, at: ArtifactStore = store): Promise<{ run: StoredRun; landed: Landed }> {
  for await (const run of storedRuns(at, [id])) {
    const landing = await landingOf(at, run);
    if (landing.kind === 'landed') return { run, landed: landing };
    throw new Error(landing.why);
  }
  throw new Error(`no ${id}`);
}
const problems = async (id: string, at = store, read = false) => {
  const found = await landed(id, at);
  return verifyRun(at, found.run, found.landed, { read });
};

describe('runs', () => {
  it('are found by their folders, all of them or those that were chosen, and nothing else is taken for one', async () => {
    for (const id of ['a/run', 'a/run-1', 'a/run@01234567', 'b/run']) await landRun(store, id, { files });
    await store.write('experiments/a/notes.txt', 'of a person');
    await store.write('experiments/a/.hidden/file', 'of a person');
    expect((await ids()).sort()).toEqual(['a/run', 'a/run-1', 'a/run@01234567', 'b/run']);
    expect(await ids(['a/run', 'b'])).toEqual(['a/run', 'b/run']);
    expect((await storeErrorOf(ids(['c']))).message).toBe(`${store.address} has no such project`);
    expect((await storeErrorOf(ids(['a/other']))).message).toBe(`${store.address} has no such run`);
  });

  it('are open without a receipt, and unreadable with one that is none, or leads out of the folder', async () => {
    await store.write('experiments/a/open/life.json', '{}');
    expect(await landingAt('a/open')).toMatchObject({ kind: 'open' });
    await store.write('experiments/a/bad/receipt.json', '{"receiptVersion":');
    expect(await landingAt('a/bad')).toMatchObject({ kind: 'unreadable' });
    await landRun(store, 'a/out', { receipt: { files: [{ path: '../other/receipt.json', size: 1, sha256: '0' }] } });
    expect(await landingAt('a/out')).toMatchObject({ kind: 'unreadable', why: expect.stringContaining('../other') });
    await landRun(store, 'a/list', { files, inList: true });
    expect([...(await landed('a/list')).landed.named.keys()].sort()).toEqual(
      [...Object.keys(files), 'files.jsonl'].sort(),
    );
    await store.remove('experiments/a/list/files.jsonl');
    expect(await landingAt('a/list')).toMatchObject({
      kind: 'unreadable',
      why: 'its files.jsonl, which names its files, is missing',
    });
  });

  it('whose list of files is not the one of the receipt are unreadable, and one of an earlier publishing says nothing', async () => {
    const output = 'experiments/a/list';
    const others = 'its files.jsonl, which names its files, is not that of its receipt';
    const { files: named } = await landRun(store, 'a/list', { files });
    const list = fileList(named);
    const receipt = JSON.parse((await readText(store, `${output}/receipt.json`)) ?? '');
    const kindWith = async (change: object, text: string | null) => {
      await store.write(`${output}/receipt.json`, JSON.stringify({ ...receipt, ...change }));
      if (text === null) await store.remove(`${output}/files.jsonl`);
      else await store.write(`${output}/files.jsonl`, text);
      const landing = await landingAt('a/list');
      return landing.kind === 'landed' ? [...landing.named.keys()].sort() : landing.why;
    };
    const all = Object.keys(files).sort();
    const asNamed = { path: 'files.jsonl', size: list.length, sha256: sha256(list) };
    expect(await kindWith({ files: [asNamed] }, list)).toEqual([...all, 'files.jsonl'].sort());
    expect(await kindWith({ files: [asNamed] }, list.slice(0, list.indexOf('\n') + 1))).toBe(others);
    // As receipts of old were cut off, which had it behind the first 300.
    const cutOff = { files: named.slice(0, 1), filesSha256: sha256(list) };
    expect(await kindWith(cutOff, list)).toEqual(all);
    expect(await kindWith(cutOff, '')).toBe(others);
    expect(await kindWith(cutOff, null)).toBe('its files.jsonl, which names its files, is missing');
    // Of one that names all, without the digest that later ones have: the list is of an earlier publishing.
    expect(await kindWith({ files: named.slice(0, 1) }, list)).toEqual([named[0]?.path]);
    expect(await kindWith({ filesSha256: sha256(list) }, 'of an earlier publishing')).toEqual(all);
    expect(await kindWith({}, null)).toEqual(all);
  });

  it('name the list of their files, and that first, where those are many', async () => {
    const own = Array.from({ length: mostNamed + 5 }, (_, index) => ({ path: `${index}`, size: 1, sha256: '0' }));
    const few = own.slice(0, mostNamed);
    expect(await namedOf(few, () => expect.fail('a list was written'))).toEqual(few);
    const many = [{ path: 'artifacts/a', size: 1, sha256: '0' }, ...own];
    const named = await namedOf(many, async (text) => ({ path: 'list', size: text.length, sha256: sha256(text) }));
    expect(named[0]).toEqual({ path: 'list', size: fileList(many).length, sha256: sha256(fileList(many)) });
    expect(named.slice(1)).toEqual(own.slice(0, mostNamed - 1));
  });
});

describe.each([false, true])('verifying, reading every byte: %s', (read) => {
  it('finds nothing wrong in a run that is whole, and every kind of damage', async () => {
    const checkpoints = { 1: randomBytes(1000), 2: randomBytes(1000), 3: randomBytes(10), 4: randomBytes(10) };
    await landRun(store, 'p/run', { files, checkpoints });
    expect(await problems('p/run', store, read)).toEqual([]);
    const at = (path: string) => inStore(join('experiments/p/run', path));
    await writeFile(at('checkpoints/epoch-0001/weights.bin'), randomBytes(1000));
    await rm(at('checkpoints/epoch-0002/weights.bin'));
    await rm(at('checkpoints/epoch-0003/checkpoint.json'));
    await writeFile(at('checkpoints/epoch-0004/checkpoint.json'), '{}');
    await writeFile(at('metrics.jsonl'), '');
    await writeFile(at('life.json'), JSON.stringify({ run: 'run', life: { namespace: 'n', chain: ['another'] } }));
    expect(await problems('p/run', store, read)).toEqual([
      expect.stringMatching(
        /^checkpoints\/epoch-0001\/weights\.bin is 1000 bytes with sha256 \w+…, and the receipt says 1000 bytes/,
      ),
      'checkpoints/epoch-0002/weights.bin is missing',
      'checkpoints/epoch-0003/checkpoint.json is missing',
      'checkpoints/epoch-0004/checkpoint.json is not that of the receipt',
      'life.json is not that of the life whose receipt this is',
      expect.stringMatching(/^metrics\.jsonl is 0 bytes/),
    ]);
  });
});

describe('copying', () => {
  let other: ArtifactStore;
  beforeEach(async () => {
    other = openStore(join(folder, 'other'));
    await other.prepare(false);
    await mkdir(join(folder, 'scratch'));
  });
  const copy = async (id: string) => {
    const { run, landed: what } = await landed(id);
    return copyRun(store, other, run, what, { scratch: join(folder, 'scratch') });
  };

  it('makes a run that verifies, of what the receipt names alone, and does nothing twice', async () => {
    await landRun(store, 'p/run', { files, inList: true, checkpoints: { 1: randomBytes(1000) } });
    await store.write('experiments/p/run/artifacts/stray', 'of nobody');
    await store.write('experiments/p/run/events.jsonl', '{"seq":1}\n');
    expect(await copy('p/run')).toMatchObject({ files: 5 });
    expect(await problems('p/run', other, true)).toEqual([]);
    const expected = (await pathsIn(store, 'experiments')).filter((path) => !path.endsWith('stray'));
    expect(await pathsIn(other, 'experiments')).toEqual(expected);
    for (const path of expected) expect(await readText(other, path)).toBe(await readText(store, path));
    expect(await copy('p/run')).toEqual({ files: 0, bytes: 0 });
    await writeFile(join(folder, 'other/experiments/p/run/metrics.jsonl'), '{"epoch":2}\n');
    expect(await copy('p/run')).toMatchObject({ files: 1 });
    expect(await problems('p/run', other)).toEqual([]);
  });

  it('leaves no receipt of a run that is damaged, and continues once it is not', async () => {
    await landRun(store, 'p/run', { files });
    await writeFile(inStore('experiments/p/run/metrics.jsonl'), 'other bytes\n');
    expect((await storeErrorOf(copy('p/run'))).message).toMatch(/metrics\.jsonl is damaged/);
    expect(await other.read('experiments/p/run/receipt.json')).toBeNull();
    await writeFile(inStore('experiments/p/run/metrics.jsonl'), files['metrics.jsonl']);
    await copy('p/run');
    expect(await problems('p/run', other)).toEqual([]);
  });

  it('touches nothing of another life, of files without a claim, and of a newer receipt', async () => {
    await landRun(store, 'p/run', { files });
    await landRun(other, 'p/run', { files: { 'metrics.jsonl': 'theirs' }, execution: 'another' });
    expect((await storeErrorOf(copy('p/run'))).message).toMatch(/has another life of the run, and is left untouched/);
    expect(await readText(other, 'experiments/p/run/metrics.jsonl')).toBe('theirs');
    await other.remove('experiments/p/run/life.json');
    expect((await storeErrorOf(copy('p/run'))).message).toMatch(/has files that nobody has claimed/);
    await other.remove('experiments/p/run');
    await landRun(other, 'p/run', { receipt: { endedAt: '2026-02-01T00:00:00.000Z' } });
    expect((await storeErrorOf(copy('p/run'))).message).toMatch(/has a newer receipt of it/);
    await store.remove('experiments/p/run/life.json');
    expect((await storeErrorOf(copy('p/run'))).message).toMatch(/has no life\.json/);
  });

  it('leaves a receipt of the same time that names more', async () => {
    await landRun(other, 'p/run', { files: { ...files, 'logs/late.log': 'of a host that came back' }, inList: true });
    await landRun(store, 'p/run', { files });
    expect((await storeErrorOf(copy('p/run'))).message).toMatch(
      /has a receipt of it that names (files\.jsonl|logs\/late\.log), which this one does not, and is left untouched/,
    );
    expect(await readText(other, 'experiments/p/run/logs/late.log')).toBe('of a host that came back');
    await other.remove('experiments/p/run');
    await landRun(other, 'p/run', { files: { 'metrics.jsonl': files['metrics.jsonl'] } });
    expect(await copy('p/run')).toMatchObject({ files: 2 });
  });

  it.each([
    ['checkpoints/epoch-0001/checkpoint.json is missing', null],
    ['checkpoints/epoch-0001/checkpoint.json is not that of the receipt', '{}'],
  ])('copies nothing of a run where %s', async (why, text) => {
    await landRun(store, 'p/run', { files, checkpoints: { 1: randomBytes(10) } });
    const manifest = 'experiments/p/run/checkpoints/epoch-0001/checkpoint.json';
    if (text === null) await store.remove(manifest);
    else await store.write(manifest, text);
    expect((await storeErrorOf(copy('p/run'))).message).toBe(why);
    expect(await pathsIn(other, 'experiments')).toEqual([]);
  });

  it('says so where the run was published again meanwhile', async () => {
    await landRun(store, 'p/run', { files });
    const { run, landed: what } = await landed('p/run');
    const copying = copyRun(
      store,
      other,
      run,
      { ...what, text: `${what.text} ` },
      { scratch: join(folder, 'scratch') },
    );
    expect((await storeErrorOf(copying)).message).toMatch(/has changed .* while it was copied: copy it again/);
    expect(await other.read('experiments/p/run/receipt.json')).toBeNull();
  });
});

describe('what no receipt names', () => {
  it('is told and removed; what belongs to the run stays, and a checkpoint that is newer than the receipt', async () => {
    const output = 'experiments/p/run';
    await landRun(store, 'p/run', { files, inList: true, checkpoints: { 2: randomBytes(10) } });
    await store.write(`${output}/events.jsonl`, '{"seq":1}\n');
    await store.write(`${output}/data-report.json`, 'of a host that is gone');
    const before = await pathsIn(store, output);
    await putCheckpoint(store, output, 1, randomBytes(10));
    await putCheckpoint(store, output, 3, randomBytes(10));
    await store.write(`${output}/checkpoints/epoch-0004/weights.bin`, 'without a manifest');
    await store.write(`${output}/checkpoints/epoch-0002/more.bin`, 'not of it');
    await store.write(`${output}/checkpoints/epoch-0005/checkpoint.json`, 'cut of');
    await store.write(`${output}/checkpoints/epoch-0005/weights.bin`, 'of nobody knows which');
    await store.write(`${output}/artifacts/stray`, 'of nobody');
    const { run, landed: what } = await landed('p/run');
    const unnamed = await unnamedFiles(store, run, what);
    expect(unnamed.kept).toEqual([
      { checkpoint: 'epoch-0003', why: 'is newer than its receipt' },
      { checkpoint: 'epoch-0005', why: 'has a manifest that cannot be read' },
    ]);
    expect(unnamed.files.map(({ path }) => path).sort()).toEqual([
      'artifacts/stray',
      'checkpoints/epoch-0001/checkpoint.json',
      'checkpoints/epoch-0001/weights.bin',
      'checkpoints/epoch-0002/more.bin',
      'checkpoints/epoch-0004/weights.bin',
    ]);
    const whyOpen = async (): Promise<string | null> => null;
    await store.write(`${output}/receipt.json`, `${what.text} `);
    expect(await removeUnnamed(store, run, what, unnamed, { whyOpen })).toEqual({
      files: [],
      why: 'its receipt has changed meanwhile',
    });
    expect(await pathsIn(store, output)).toHaveLength(before.length + 9);
    await store.write(`${output}/receipt.json`, what.text);
    const heard: string[] = [];
    const how = { whyOpen, onFile: (path: string) => heard.push(path) };
    const { files: removed, why } = await removeUnnamed(store, run, what, unnamed, how);
    expect({ removed, why }).toEqual({ removed: heard, why: null });
    expect(removed).toEqual(unnamed.files.map(({ path }) => path));
    const kept = ['epoch-0003', 'epoch-0005'].flatMap((name) =>
      ['checkpoint.json', 'weights.bin'].map((file) => `${output}/checkpoints/${name}/${file}`),
    );
    expect(await pathsIn(store, output)).toEqual([...before, ...kept].sort());
    expect(await problems('p/run')).toEqual([]);
  });

  it('is left where objects of other tools stand in the place of folders: with them would go what is below', async () => {
    await landRun(store, 'p/run', { files, checkpoints: { 1: randomBytes(10) } });
    const { run, landed: what } = await landed('p/run');
    const folders = [
      '',
      'artifacts/',
      'checkpoints',
      'checkpoints/',
      'checkpoints/epoch-0001',
      'checkpoints/epoch-0001/',
    ];
    const listed = new Map([...run.files, ...[...folders, 'checkpoints/epoch-0009'].map((path) => [path, 0] as const)]);
    expect((await unnamedFiles(store, { ...run, files: listed }, what)).files).toEqual([
      { path: 'checkpoints/epoch-0009', size: 0 },
    ]);
    expect([...loneFiles(['a', 'a/b', 'a/b/c/d', 'a/b!', 'ab', 'a/', 'a//b', '/a'])]).toEqual([
      'a/b/c/d',
      'a/b!',
      'ab',
    ]);
  });

  it('goes as long as nobody may write it: that is asked again now and then', async () => {
    const store = storeIn(new MemoryBucket());
    await store.prepare(false);
    await landRun(store, 'p/run', { files });
    const { run, landed: what } = await landed('p/run', store);
    const strays: Unnamed['files'] = Array.from({ length: 2500 }, (_, index) => ({ path: `stray-${index}`, size: 0 }));
    const answers = [null, null, 'the run is not over'];
    const whyOpen = async () => answers.shift() ?? null;
    const removed = await removeUnnamed(store, run, what, { files: strays, kept: [] }, { whyOpen });
    expect(removed.files).toHaveLength(2000);
    expect(removed.why).toBe('the run is not over');
  });

  it('is not looked for where more may still be published', async () => {
    const told = await landRun(store, 'p/run', { files });
    expect(whyAwaited(told)).toBeNull();
    expect(whyAwaited({ ...told, publishedBytes: 0 })).toBe('not all of it was published, and may still be');
    expect(whyAwaited({ ...told, localFolder: { kind: 'unknown', host: 'h' } })).toMatch(/^host h did not answer/);
  });
});

it('work at several at once ends with the first failure, once nobody is at work', async () => {
  let [atWork, most, done] = [0, 0, 0];
  const work = async (item: number) => {
    most = Math.max(most, ++atWork);
    await new Promise(setImmediate);
    atWork -= 1;
    if (item === 5) throw new Error('the fifth');
    done += 1;
  };
  await expect(forEach([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 3, work)).rejects.toThrow('the fifth');
  expect({ atWork, most }).toEqual({ atWork: 0, most: 3 });
  expect(done).toBeLessThan(9);
  await forEach(new Set([1, 2]), 3, work);
});

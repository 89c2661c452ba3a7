/** Supervisely's own SDK on the other side: what one of the two writes the other one reads, with equal hashes. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../../stores/open-store.ts';
import { inProcess } from '../../support/command-line.ts';
import { landRun } from '../landed-run.ts';
import { sha256 } from './store-contract.ts';
import { server, teamFiles, teamFilesEnvironment } from './team-files-stage.ts';

interface Told {
  path: string;
  hash: string;
  size: number;
}

let child: ChildProcessWithoutNullStreams;
let ended: Promise<never>;
let lines: Interface;
let said = '';

async function sdk<T = Told[]>(...call: unknown[]): Promise<T> {
  const line = once(lines, 'line') as Promise<[string]>;
  child.stdin.write(`${JSON.stringify(call)}\n`);
  const [text] = await Promise.race([line, ended]);
  const { answer, error } = JSON.parse(text) as { answer: T; error?: string };
  if (error !== undefined) throw new Error(error);
  return answer;
}

const hashOf = (bytes: Uint8Array) => Buffer.from(sha256(bytes), 'hex').toString('base64');
const byPath = <T extends { path: string }>(some: readonly T[]) => [...some].sort((a, b) => (a.path < b.path ? -1 : 1));

/** More than one page of any list, and some that are larger than one part. */
const contents = new Map<string, Buffer>([
  ['checkpoints/epoch-0001/model.bin', randomBytes(2_500_001)],
  ['checkpoints/epoch-0001/checkpoint.json', Buffer.from('{"epoch":1}\n')],
  ['logs/empty.log', Buffer.alloc(0)],
  ['logs/trainer.log', randomBytes(5000)],
  ['config.yaml', Buffer.from('trainer: digits\n')],
  ['a b/ä ö & 100% + 漢.txt', Buffer.from('names are what they are\n')],
  ['receipt.json', Buffer.from('{}\n')],
]);

describe.skipIf(server.sdk === null)('the SDK of Supervisely', () => {
  teamFiles.hooks();
  beforeAll(() => {
    const program = fileURLToPath(new URL('team_files_sdk.py', import.meta.url));
    child = spawn(server.sdk ?? '', [program], {
      env: {
        ...process.env,
        ...teamFilesEnvironment(teamFiles.proxy.endpoint),
        SUPERVISELY_SKIP_HTTPS_USER_HELPER_CHECK: '1',
      },
    });
    child.stderr.on('data', (chunk) => (said = `${said}${chunk}`.slice(-2000)));
    lines = createInterface(child.stdout);
    ended = once(child, 'close').then(() => {
      throw new Error(`the SDK has ended: ${said}`);
    });
    ended.catch(() => undefined);
  });
  afterAll(async () => {
    child.stdin.end();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
  });

  const folder = () => `${teamFiles.address.slice('teamfiles:'.length)}/experiments/p/r`;
  const expected = (at: string) =>
    byPath([...contents].map(([path, bytes]) => ({ path: `${at}/${path}`, hash: hashOf(bytes), size: bytes.length })));

  const filled = async (name: string) => {
    for (const [path, bytes] of contents) {
      const file = join(teamFiles.folder, name, path);
      await mkdir(join(file, '..'), { recursive: true });
      await writeFile(file, bytes);
    }
    return join(teamFiles.folder, name);
  };

  it('lists, finds and downloads what our store has, whole, by range and as a folder', async () => {
    const store = teamFiles.inSmallParts();
    const local = await filled('ours');
    for (const path of contents.keys()) await store.publish(join(local, path), `experiments/p/r/${path}`);
    expect(byPath(await sdk('list', folder()))).toEqual(expected(folder()));
    expect(byPath(await sdk('pages', folder()))).toEqual(expected(folder()));
    expect(await sdk('exists', `${folder()}/logs/`)).toBe(true);
    const [path = '', bytes = Buffer.alloc(0)] = [...contents][0] ?? [];
    expect(await sdk('info', `${folder()}/${path}`)).toEqual([
      { path: `${folder()}/${path}`, hash: hashOf(bytes), size: bytes.length },
    ]);
    for (const [way, index] of [
      ['download', 0],
      // This one compares the hash that comes with the bytes.
      ['download_async', 1],
    ] as const) {
      for (const [path, bytes] of contents) {
        const back = join(teamFiles.folder, `back-${index}`, path);
        await mkdir(join(back, '..'), { recursive: true });
        await sdk(way, `${folder()}/${path}`, back);
        expect(sha256(await readFile(back)), `${way} ${path}`).toBe(sha256(bytes));
      }
    }
    const part = join(teamFiles.folder, 'part');
    await sdk('download_range', `${folder()}/${path}`, part, 1000, 1_999_999);
    expect(sha256(await readFile(part))).toBe(sha256(bytes.subarray(1000, 2_000_000)));
    const all = join(teamFiles.folder, 'all');
    await sdk('download_folder', folder(), all);
    for (const [path, bytes] of contents) expect(sha256(await readFile(join(all, path))), path).toBe(sha256(bytes));
    expect((await readdir(all)).sort()).toEqual(
      [...new Set([...contents.keys()].map((one) => one.split('/')[0]))].sort(),
    );
  });

  it('sends nothing of what our store has already, by its hash', async () => {
    const store = teamFiles.inSmallParts();
    const local = await filled('ours');
    for (const path of contents.keys()) await store.publish(join(local, path), `experiments/p/r/${path}`);
    teamFiles.proxy.seen.length = 0;
    await sdk('upload_async', local, folder(), true);
    expect(teamFiles.proxy.seen.filter(({ url }) => url.includes('upload'))).toEqual([]);
    await writeFile(join(local, 'receipt.json'), '{"newer":true}\n');
    await sdk('upload_async', local, folder(), true);
    expect(teamFiles.proxy.seen.filter(({ url }) => url.includes('upload'))).toHaveLength(1);
    expect(Buffer.from((await store.read('experiments/p/r/receipt.json')) ?? []).toString()).toBe('{"newer":true}\n');
  });

  it.each(['upload', 'upload_async'])('writes by %s what our store verifies, lists, reads and fetches', async (way) => {
    const store = teamFiles.inSmallParts();
    const local = await filled('theirs');
    expect(await sdk<string>(way, local, folder(), ...(way === 'upload' ? [] : [false]))).toBe(folder());
    const listed: { path: string; size: number }[] = [];
    for await (const one of store.list('experiments')) listed.push(one);
    expect(listed).toEqual(
      byPath([...contents].map(([path, bytes]) => ({ path: `experiments/p/r/${path}`, size: bytes.length }))),
    );
    for (const [path, bytes] of contents) {
      const file = { path: `experiments/p/r/${path}`, size: bytes.length, sha256: sha256(bytes) };
      expect(await store.verify(file.path)).toEqual(file);
      expect(store.proofOf(file.path)).toBe('checksum');
      await store.fetch(file.path, join(teamFiles.folder, file.sha256), file);
      expect(sha256(await readFile(join(teamFiles.folder, file.sha256)))).toBe(file.sha256);
      // What is there already is not sent again.
      teamFiles.proxy.seen.length = 0;
      await store.publish(join(local, path), file.path);
      expect(teamFiles.proxy.seen.filter(({ url }) => url.includes('upload'))).toEqual([]);
    }
    const [path = '', bytes = Buffer.alloc(0)] = [...contents][0] ?? [];
    const part = await store.readPart(`experiments/p/r/${path}`, 1000, 500);
    expect(part && Buffer.compare(part.bytes, bytes.subarray(1000, 1500))).toBe(0);
  });

  it('finds a run that was copied there as its receipt says, and what it changes is found by verify', async () => {
    const epochal = (...args: string[]) => inProcess('store', ...args);
    const [first, back] = [join(teamFiles.folder, 'first'), join(teamFiles.folder, 'back')];
    const store = openStore(first);
    await store.prepare(false);
    // More than is held in memory.
    const checkpoints = { 1: randomBytes(20_000_001), 2: randomBytes(1000) };
    const receipt = await landRun(store, 'p/run', { files: { 'metrics.jsonl': '{}\n' }, checkpoints });
    expect(await epochal('copy', first, teamFiles.address)).toMatchObject({ code: 0 });
    expect(await epochal('verify', teamFiles.address)).toMatchObject({
      code: 0,
      stdout: 'p/run: whole, 3 files, 19 MiB\n',
    });
    const run = `${folder().slice(0, -1)}run`;
    const listed = new Map((await sdk('list', run)).map(({ path, hash }) => [path, hash]));
    for (const file of [...receipt.checkpoints.flatMap((checkpoint) => checkpoint.files), ...receipt.files])
      expect(listed.get(`${run}/${file.path}`), file.path).toBe(Buffer.from(file.sha256, 'hex').toString('base64'));
    expect(await epochal('copy', teamFiles.address, back, 'p/run')).toMatchObject({ code: 0 });
    expect(await epochal('verify', back)).toMatchObject({ code: 0 });
    await mkdir(join(teamFiles.folder, 'other'));
    await writeFile(join(teamFiles.folder, 'other', 'metrics.jsonl'), '[]\n');
    await sdk('upload_async', join(teamFiles.folder, 'other'), run, false);
    expect(await epochal('verify', teamFiles.address)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^p\/run: metrics\.jsonl is 3 bytes with sha256/),
    });
  });

  it('removes files and folders, and our store has none of them then; and the reverse', async () => {
    const store = teamFiles.inSmallParts();
    for (const path of ['x/1', 'x/2', 'x/3', 'x/y/4', 'x/y/5', 'z/6']) await store.write(path, path);
    const root = teamFiles.address.slice('teamfiles:'.length);
    await sdk('remove', `${root}/x/1`);
    await sdk('remove_many', [`${root}/x/2`]);
    await sdk('remove', `${root}/x/y/`);
    expect(await teamFiles.paths('x')).toEqual(['x/3']);
    expect(await store.verify('x/1')).toBeNull();
    await store.remove('x');
    expect(await sdk('list', `${root}/x`)).toEqual([]);
    expect(await sdk('exists', `${root}/x/`)).toBe(false);
    expect((await sdk('list', `${root}/z`)).map(({ path }) => path)).toEqual([`${root}/z/6`]);
  });
});

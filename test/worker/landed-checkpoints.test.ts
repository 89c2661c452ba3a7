/** What a run that is published asks of its store for what was stored before: the time to its end does not grow with it. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { LedgerEntry } from '../../contracts/checkpoint.ts';
import type { ArtifactStore } from '../../stores/artifact-store.ts';
import { openStore } from '../../stores/open-store.ts';
import { landCheckpoints } from '../../worker/landed-checkpoints.ts';
import { RunFolders } from '../../worker/run-folders.ts';
import { putCheckpoint } from '../stores/landed-run.ts';
import { MemoryBucket, storeIn } from '../stores/memory-bucket.ts';

const output = 'experiments/p/run';
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-landed-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function kept(store: ArtifactStore, epoch: number, weights: Uint8Array): Promise<LedgerEntry> {
  const { files, ...manifest } = await putCheckpoint(store, output, epoch, weights);
  const [file] = files;
  if (!file) throw new Error('it has no file');
  return { ...manifest, host: 'host', stored: true, reasons: ['every'], files: [{ ...file, path: 'weights.bin' }] };
}
const land = (store: ArtifactStore, ledger: readonly LedgerEntry[]) =>
  landCheckpoints(ledger, { store, output, folder: null, options: {} }, { onCheckpoint: () => {}, onStored: () => {} });

/** That has counted what was asked of it, and how much of that at once. */
class SlowBucket extends MemoryBucket {
  asked = 0;
  weights = 0;
  most = 0;
  #now = 0;

  override async head(key: string) {
    return this.#slowly(key, () => super.head(key));
  }

  override async get(key: string, range: { offset: number }) {
    if (key.endsWith('weights.bin')) this.weights += 1;
    return this.#slowly(key, () => super.get(key, range));
  }

  async #slowly<T>(_key: string, work: () => Promise<T>): Promise<T> {
    this.asked += 1;
    this.most = Math.max(this.most, ++this.#now);
    await new Promise(setImmediate);
    this.#now -= 1;
    return work();
  }
}

it.each([5, 500])(
  'of %i checkpoints in a bucket: a request for each or two, side by side, and none for bytes',
  async (count) => {
    const bucket = new SlowBucket();
    const store = storeIn(bucket);
    await store.prepare(false);
    const ledger: LedgerEntry[] = [];
    for (let epoch = 1; epoch <= count; epoch += 1) ledger.push(await kept(store, epoch, Uint8Array.of(epoch % 7)));
    Object.assign(bucket, { asked: 0, weights: 0, most: 0 });
    const { checkpoints, lost } = await land(store, ledger);
    expect(checkpoints.map(({ name }) => name)).toEqual(ledger.map(({ name }) => name));
    expect(lost).toEqual([]);
    expect(bucket.asked).toBeLessThanOrEqual(2 * count + 1);
    expect(bucket.weights).toBe(0);
    expect(bucket.most).toBe(Math.min(count, 8));
  },
);

it('what was on the host alone is told as stored', async () => {
  const store = storeIn(new MemoryBucket());
  await store.prepare(false);
  const before = await kept(store, 1, Uint8Array.of(1));
  const now = { ...(await kept(store, 2, Uint8Array.of(2))), stored: false, createdAt: '2026-01-02T00:00:00.000Z' };
  const told: string[] = [];
  const onStored = (createdAt: string) => told.push(createdAt);
  const landing = { store, output, folder: new RunFolders(folder).of('run'), options: {} };
  await landCheckpoints([before, now], landing, { onCheckpoint: () => {}, onStored });
  expect(told).toEqual([now.createdAt]);
});

it.skipIf(!existsSync('/proc/self/io'))(
  'in a folder: what was read back when it was stored is not read again, unless somebody has written to it',
  async () => {
    const store = openStore(join(folder, 'store'));
    await store.prepare(false);
    const size = 5_000_000;
    const ledger = [await kept(store, 1, randomBytes(size)), await kept(store, 2, randomBytes(size))];
    const before = await readBytes();
    expect((await land(store, ledger)).lost).toEqual([]);
    expect((await readBytes()) - before).toBeLessThan(size / 2);

    // Of the same size, and with the time of the one before.
    const path = join(folder, 'store', output, 'checkpoints', ledger[0]?.name ?? '', 'weights.bin');
    const bytes = await readFile(path);
    bytes[7] = (bytes[7] ?? 0) ^ 1;
    const time = new Date(Date.now() - 60_000);
    await writeFile(path, bytes);
    await utimes(path, time, time);
    const { checkpoints, lost } = await land(store, ledger);
    expect([checkpoints.map(({ name }) => name), lost]).toEqual([['epoch-0002'], ['epoch-0001']]);
  },
);

/** By this process, as the system has counted them. */
async function readBytes(): Promise<number> {
  return Number(/rchar: (\d+)/.exec(await readFile('/proc/self/io', 'utf8'))?.[1]);
}

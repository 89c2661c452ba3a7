/** Stores with 100,000 objects: what is done with them takes as many requests as their pages have, and memory for one run of them. */
import { beforeEach, expect, it } from 'vitest';
import type { Bucket } from '../../stores/bucket.ts';
import { landingOf, type StoredRun, storedRuns } from '../../stores/stored-runs.ts';
import { removeUnnamed, unnamedFiles } from '../../stores/unnamed-files.ts';
import { removeStrays } from '../../worker/checkpoints.ts';
import { landRun } from './landed-run.ts';
import { MemoryBucket, storeIn } from './memory-bucket.ts';

const many = 100_000;
const deletes = 1000;

/** That has counted what was asked of it, and how many objects its lists have told. */
class CountingBucket extends MemoryBucket {
  override readonly limits = { keyBytes: 1024, partBytes: 16 << 20, parts: 1, deletes };
  readonly asked = new Map<string, number>();
  told = 0;

  fill(count: number, pathOf: (index: number) => string): void {
    const one = { size: 1, etag: '1', sha256: null, composite: null, writer: null };
    for (let index = 0; index < count; index += 1)
      this.objects.set(`store/experiments/${pathOf(index)}`, { bytes: Uint8Array.of(1), facts: one });
  }

  override async *list(prefix: string, call: object, after?: string) {
    for await (const one of super.list(prefix, call, after)) {
      this.told += 1;
      yield one;
    }
  }

  counting(): Bucket {
    const { asked } = this;
    return new Proxy(this, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          asked.set(String(name), (asked.get(String(name)) ?? 0) + 1);
          return value.apply(target, args);
        };
      },
    });
  }
}

let bucket: CountingBucket;
let store: ReturnType<typeof storeIn>;
beforeEach(async () => {
  bucket = new CountingBucket();
  store = storeIn(bucket.counting());
  await store.prepare(false);
});
const asked = (name: string) => bucket.asked.get(name) ?? 0;
const number = (index: number) => String(index).padStart(6, '0');

it('are listed while they are read: of 100 runs one at a time is held, by one list', async () => {
  bucket.fill(many, (index) => `p/run-${number(Math.floor(index / 1000))}/artifacts/${number(index)}`);
  bucket.asked.clear();
  let runs = 0;
  for await (const { files } of storedRuns(store, [])) {
    runs += 1;
    expect(files.size).toBe(1000);
    // The first of the next one tells that this one is whole.
    expect(bucket.told).toBeLessThanOrEqual(runs * 1000 + 1);
  }
  expect(runs).toBe(100);
  expect(asked('list')).toBeLessThanOrEqual(2);
  expect(asked('get') + asked('head')).toBeLessThanOrEqual(2);
});

it('that no receipt names are removed by as few requests as the provider takes, and it is asked in between', async () => {
  await landRun(store, 'p/run', { files: { 'metrics.jsonl': '{"epoch":1}\n' } });
  const named = bucket.objects.size;
  bucket.fill(many, (index) => `p/run/artifacts/${number(index)}`);
  let run = null as StoredRun | null;
  for await (const found of storedRuns(store, ['p/run'])) run = found;
  const landing = run && (await landingOf(store, run));
  if (!run || landing?.kind !== 'landed') throw new Error('it has not landed');
  const unnamed = await unnamedFiles(store, run, landing);
  expect(unnamed.files).toHaveLength(many);
  bucket.asked.clear();
  let questions = 0;
  let told = 0;
  const whyOpen = async () => {
    questions += 1;
    return null;
  };
  const { files, why } = await removeUnnamed(store, run, landing, unnamed, { whyOpen, onFile: () => (told += 1) });
  expect([files.length, told, why]).toEqual([many, many, null]);
  expect(bucket.objects.size).toBe(named);
  expect(asked('delete')).toBe(many / deletes);
  expect(questions).toBe(many / deletes);
  expect(asked('get')).toBeLessThanOrEqual(many / deletes + 1);
  expect(asked('list')).toBeLessThanOrEqual(2);
});

it('that a run dropped, in checkpoints and beside the files of one that it keeps, are removed when it is published', async () => {
  const kept = {
    ...{ name: 'epoch-0009', epoch: 9, batch: 0, metrics: {}, createdAt: '2026-01-01T00:00:00.000Z' },
    ...{ session: 'session', files: [{ path: 'weights.bin', size: 1, sha256: '0'.repeat(64) }] },
  };
  bucket.fill(1, () => 'p/run/checkpoints/epoch-0009/weights.bin');
  bucket.fill(many / 2, (index) => `p/run/checkpoints/epoch-0009/shard-${number(index)}`);
  bucket.fill(many / 2, (index) => `p/run/checkpoints/batch-000${Math.floor(index / 10_000)}/shard-${number(index)}`);
  bucket.asked.clear();
  await removeStrays(store, 'experiments/p/run', [kept]);
  expect([...bucket.objects.keys()].filter((key) => key.includes('/experiments/'))).toEqual([
    'store/experiments/p/run/checkpoints/epoch-0009/weights.bin',
  ]);
  expect(asked('delete')).toBeLessThanOrEqual(many / deletes + 5);
  expect(asked('list')).toBeLessThanOrEqual(1 + 5 + 1);
  expect(asked('get') + asked('head')).toBeLessThanOrEqual(2);
});

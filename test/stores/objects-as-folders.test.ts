/** Objects that other tools put into buckets in the place of folders: nothing that is below them goes with them. */
import { randomBytes } from 'node:crypto';
import { beforeEach, expect, it } from 'vitest';
import type { ArtifactStore } from '../../stores/artifact-store.ts';
import { landingOf, storedRuns } from '../../stores/stored-runs.ts';
import { removeUnnamed, unnamedFiles } from '../../stores/unnamed-files.ts';
import { verifyRun } from '../../stores/verified-run.ts';
import { removeStrays } from '../../worker/checkpoints.ts';
import { landRun } from './landed-run.ts';
import { MemoryBucket, storeIn } from './memory-bucket.ts';

const output = 'experiments/p/run';
let bucket: MemoryBucket;
let store: ArtifactStore;
beforeEach(async () => {
  bucket = new MemoryBucket();
  store = storeIn(bucket);
  await store.prepare(false);
});
/** As `hadoop fs -mkdir`, azcopy and consoles leave them. */
const putFolders = async (...paths: string[]) => {
  for (const path of paths) await bucket.put(`store/${output}/${path}`, new Uint8Array(), new Uint8Array(32), {});
};
const keys = () => [...bucket.objects.keys()].sort();

it('are left when what no receipt names is removed', async () => {
  await landRun(store, 'p/run', { files: { 'logs/a.log': 'a' }, checkpoints: { 2: randomBytes(100) } });
  await putFolders('', 'logs', 'logs/', 'checkpoints/', 'checkpoints/epoch-0002', 'checkpoints/epoch-0002/');
  const before = keys();
  await putFolders('checkpoints/epoch-0009');
  for await (const run of storedRuns(store, [])) {
    const landing = await landingOf(store, run);
    if (landing.kind !== 'landed') throw new Error(landing.why);
    const unnamed = await unnamedFiles(store, run, landing);
    const removed = await removeUnnamed(store, run, landing, unnamed, { whyOpen: async () => null });
    expect(removed).toEqual({ files: ['checkpoints/epoch-0009'], why: null });
    expect(await verifyRun(store, run, landing, { read: true })).toEqual([]);
  }
  expect(keys()).toEqual(before);
});

it('are left when a run that lands removes checkpoints that it has dropped, which go with theirs', async () => {
  const { checkpoints } = await landRun(store, 'p/run', { checkpoints: { 1: randomBytes(9), 2: randomBytes(9) } });
  const kept = checkpoints.slice(1).map((one) => ({ ...one, files: [{ ...one.files[0], path: 'weights.bin' }] }));
  await store.write(`${output}/checkpoints/epoch-0002/stray`, 'x');
  const places = ['checkpoints/', 'checkpoints/epoch-0001', 'checkpoints/epoch-0002', 'checkpoints/epoch-0002/'];
  await putFolders(...places, 'checkpoints/epoch-0002/weights.bin/');
  await removeStrays(store, output, kept as Parameters<typeof removeStrays>[2]);
  expect(keys().flatMap((key) => key.split(`${output}/checkpoints/`)[1] ?? [])).toEqual([
    '',
    'epoch-0002',
    'epoch-0002/',
    'epoch-0002/checkpoint.json',
    'epoch-0002/weights.bin',
    'epoch-0002/weights.bin/',
  ]);
});

/** Rows of `metrics.jsonl` in the store, when two hosts have had the run. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CheckpointManifest } from '../../contracts/checkpoint.ts';
import { openStore } from '../../stores/open-store.ts';
import { chooseResume, storeCheckpoint } from '../../worker/checkpoints.ts';
import { type RunFolder, RunFolders } from '../../worker/run-folders.ts';

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'epochal-checkpoints-'));
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

const row = (epoch: number) =>
  JSON.stringify({ epoch, batches: 5, seconds: 1, metrics: { loss: 1 / epoch }, at: '2026-01-01T00:00:00.000Z' });

/** A host's folder of the run, as if it had trained `epochs` epochs. */
async function trainedOn(host: string, epochs: number): Promise<{ folder: RunFolder; newest: CheckpointManifest }> {
  const folder = await new RunFolders(join(scratch, host)).make('run');
  const name = `epoch-${String(epochs).padStart(4, '0')}`;
  const content = `weights after ${epochs}`;
  const newest: CheckpointManifest = {
    ...{ name, epoch: epochs, batch: 0, metrics: {}, createdAt: '2026-01-01T00:00:00.000Z', session: host },
    files: [{ path: 'weights', size: content.length, sha256: createHash('sha256').update(content).digest('hex') }],
  };
  await mkdir(join(folder.checkpoints, name), { recursive: true });
  await writeFile(join(folder.checkpoints, name, 'weights'), content);
  await writeFile(join(folder.checkpoints, name, 'checkpoint.json'), JSON.stringify(newest));
  await writeFile(folder.metrics, Array.from({ length: epochs }, (_, index) => `${row(index + 1)}\n`).join(''));
  return { folder, newest };
}

it('a host that stores late takes no rows away, and finds all of them when it goes on', async () => {
  const store = openStore(join(scratch, 'store'));
  await store.prepare(false);
  const late = await trainedOn('late', 1);
  const other = await trainedOn('other', 3);
  await storeCheckpoint(other.folder, other.newest, store, 'output', {});
  await storeCheckpoint(late.folder, late.newest, store, 'output', {});

  const resume = await chooseResume({
    ...{ folder: late.folder, store, output: 'output', previous: null, notAfter: null },
    ledger: [{ ...other.newest, reasons: ['last'], host: 'other', stored: true }],
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
  expect(resume?.manifest.name).toBe('epoch-0003');
  expect(await readFile(late.folder.metrics, 'utf8')).toBe(`${row(1)}\n${row(2)}\n${row(3)}\n`);
});

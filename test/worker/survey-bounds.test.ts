/** A survey fits into a payload, whatever lies there, and has what a salvage decides by. */
import { expect, it } from 'vitest';
import type { CheckpointManifest } from '../../contracts/checkpoint.ts';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { surveyed, surveyedEpochs } from '../../worker/survey-bounds.ts';

const at = '2026-01-01T00:00:00.000Z';
const manifest = (epoch: number, batch = 0): CheckpointManifest => ({
  ...{ name: `epoch-${epoch}${batch > 0 ? `-batch-${batch}` : ''}`, epoch, batch, createdAt: at, session: 's' },
  // The best is an early one.
  metrics: { loss: Math.abs(epoch - 7) },
  files: [{ path: 'weights', size: 1, sha256: 'a'.repeat(64) }],
});
const config = runConfigSchema.parse({
  ...{ run: 'r', trainer: 't', epochs: 9_000 },
  checkpoints: { best: { metric: 'loss', mode: 'min' } },
});
const ends = Array.from({ length: 9_000 }, (_, index) => manifest(index + 1));
const within = Array.from({ length: 9_000 }, (_, index) => manifest(9_000, index + 1));
const names = (manifests: CheckpointManifest[]) => manifests.map(({ name }) => name);

it('tells the newest, the best, and as many before as there is room for, oldest first', async () => {
  const told = names(await surveyed([...within, ...ends], config, async () => true));
  expect(told.at(-1)).toBe('epoch-9000-batch-9000');
  expect(told[0]).toBe('epoch-7');
  expect(told).toContain('epoch-9000');
  expect(told.length).toBeGreaterThan(500);
  expect(JSON.stringify(await surveyed(ends, null, async () => true)).length).toBeLessThan(400_000);
});

it('passes what is damaged over for what came before', async () => {
  const isWhole = async ({ epoch, batch }: CheckpointManifest) => epoch < 8_999 && batch === 0;
  expect(names(await surveyed([...ends, ...within], config, isWhole)).at(-1)).toBe('epoch-8998');
  expect(await surveyed(ends, config, async () => false)).toEqual([]);
});

it('tells the newest rows up to the newest checkpoint', () => {
  const rows = ends.map(({ epoch, metrics }) => ({ epoch, batches: 5, seconds: 1, metrics, at }));
  const told = surveyedEpochs(rows, [manifest(8_000)]);
  expect(told.at(-1)?.epoch).toBe(8_000);
  expect(JSON.stringify(told).length).toBeLessThan(150_000);
});

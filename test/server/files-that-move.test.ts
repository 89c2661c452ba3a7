/** A run that ends while its page reads its files: they go from the host to the store between two questions. */
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { type FilesPlace, RunFiles } from '../../client/run-files.ts';
import { firstThatHas } from '../../client/run-places.ts';
import type { Question } from '../../client/worker-questions.ts';
import { readRunFileSchema } from '../../contracts/run-files.ts';
import { metricColumns } from '../../server/metric-columns.ts';
import { systemColumns } from '../../server/system-columns.ts';
import { HostRunFiles } from '../../worker/run-files.ts';

const at = (second: number) => new Date(second * 1000).toISOString();
const used = {
  ...{ memoryBytes: 1, readBytes: null, writtenBytes: null, receivedBytes: 0, sentBytes: 0, addedLater: 1 },
  gpus: [],
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-files-'));
  await mkdir(join(folder, 'host'));
  const rows = [1, 2, 3].map((epoch) =>
    JSON.stringify({ epoch, batches: 1, seconds: 1, metrics: { loss: 1 / epoch }, at: '2026-01-01T00:00:00.000Z' }),
  );
  await writeFile(join(folder, 'host', 'metrics.jsonl'), `${rows.join('\n')}\n`);
  const measured = [1, 2, 3].map((second) => JSON.stringify({ at: at(second), seconds: 1, ...used, cpu: second }));
  await writeFile(join(folder, 'host', 'system.jsonl'), `${measured.join('\n')}\n{"at":`);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A worker's answers from real folders, `host` and `store`; the first folder becomes the second once a size was told. */
const moving = {
  async ask<T>({ activity, args, answer }: Question<T>): Promise<T> {
    const asked = z.looseObject({ place: z.looseObject({ source: z.string() }), path: z.string() }).parse(args[0]);
    const { source } = asked.place;
    const files = new HostRunFiles(join(folder, source));
    if (activity === 'sizeOfRunFile') {
      const size = (await files.readPart(asked.path, 0, 1))?.size ?? null;
      if (source === 'host') await rename(join(folder, 'host'), join(folder, 'store'));
      return answer.parse(size);
    }
    const { path, offset, length } = readRunFileSchema.parse(args[0]);
    return answer.parse((await files.readPart(path, offset, length))?.bytes ?? new Uint8Array());
  },
};

const place = (source: 'host' | 'store'): FilesPlace => ({
  source,
  run: 'r',
  project: 'default',
  store: null,
  asked: { host: 'h' },
});

it.each([
  { after: 0, epochs: [1, 2, 3] },
  { after: 2, epochs: [3] },
])('are read where they are now, after epoch $after', async ({ after, epochs }) => {
  const files = new RunFiles(moving);
  const places = [place('host'), place('store')];
  const { found } = await firstThatHas({ places }, 'metrics.jsonl', (at) =>
    metricColumns(files, at, { points: 100, after }),
  );
  expect(found).toMatchObject({ source: 'store', total: 3, epoch: epochs });
});

it.each([
  { after: 0, cpu: [1, 2, 3] },
  { after: 2_000, cpu: [3] },
])('so are rows of what it took of its host, after $after ms', async ({ after, cpu }) => {
  const files = new RunFiles(moving);
  const places = [place('host'), place('store')];
  const { found } = await firstThatHas({ places }, 'system.jsonl', (where) => systemColumns(files, where, after));
  expect(found).toMatchObject({ source: 'store', cpu, gpus: [] });
  expect(Object.keys(found)).not.toContain('addedLater');
});

it('are sent from where they are now', async () => {
  const files = new RunFiles(moving);
  const places = [place('host'), place('store')];
  const { found: size } = await firstThatHas({ places }, 'metrics.jsonl', (at) => files.size(at, 'metrics.jsonl'));
  const sent = async (end: number) => {
    const parts: Uint8Array[] = [];
    for await (const part of files.bytesWherever(places, 'metrics.jsonl', { start: 7, end, size })) parts.push(part);
    return Buffer.concat(parts).toString('utf8');
  };
  const whole = await readFile(join(folder, 'store', 'metrics.jsonl'), 'utf8');
  expect(await sent(size)).toBe(whole.slice(7));
  // What has another size there is another file.
  await writeFile(join(folder, 'store', 'metrics.jsonl'), `${whole}\n`);
  await expect(sent(size)).rejects.toThrow('metrics.jsonl of run r went, or became shorter, while it was read');
});

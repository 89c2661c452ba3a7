/** Curves of what a run took of its hosts: no curve of what nobody told, and a gap where nothing was measured. */
import { expect, it } from 'vitest';
import { z } from 'zod';
import type { FilesPlace, RunFiles } from '../../client/run-files.ts';
import type { SystemRow } from '../../contracts/system-metrics.ts';
import { allRows, newestRows } from '../../server/rows-of-runs.ts';
import { systemColumnsOf } from '../../server/system-columns.ts';
import { joinedSystem, systemCurves } from '../../web/src/curves/system-columns.ts';

const row = (second: number, more: Partial<SystemRow> = {}): SystemRow => ({
  at: new Date(second * 1000).toISOString(),
  ...{ seconds: 5, cpu: second, memoryBytes: 1, readBytes: null, writtenBytes: null, receivedBytes: 3, sentBytes: 4 },
  gpus: [],
  ...more,
});
const gpu = (index: number, use: number | null) => ({ index, use, memoryBytes: 5, watts: null, celsius: 40 });
const of = (rows: SystemRow[]) => ({ source: 'host' as const, ...systemColumnsOf(rows) });

it('are broken between two sessions, also of a GPU that only one of them had', () => {
  const rows = [row(5), row(10), row(100, { gpus: [gpu(1, 0.5)] }), row(105, { gpus: [gpu(1, null), gpu(3, 1)] })];
  const { x, plots } = systemCurves(of(rows));
  expect(x).toEqual([5, 10, 95, 100, 105]);
  expect(plots.map(({ title, curves }) => [title, ...curves.map(({ label }) => label)])).toEqual([
    ['GPU use', 'GPU 1', 'GPU 3'],
    ['GPU memory', 'GPU 1', 'GPU 3'],
    ['GPU temperature', 'GPU 1', 'GPU 3'],
    ['CPU, cores in use', 'cores'],
    ['Memory', 'resident'],
    ['Network of the host', 'received', 'sent'],
  ]);
  const curves = Object.fromEntries(plots.map(({ title, curves }) => [title, curves.map(({ values }) => values)]));
  expect(curves['CPU, cores in use']).toEqual([[5, 10, null, 100, 105]]);
  expect(curves['GPU use']).toEqual([
    [null, null, null, 0.5, null],
    [null, null, null, null, 1],
  ]);
  // What comes since is as if it had been there from the first.
  expect(joinedSystem(of(rows.slice(0, 2)), of(rows.slice(2)))).toEqual(of(rows));
  expect(systemCurves(of([])).plots).toEqual([]);
});

it('show the GPUs that a host may have, whatever the file tells', () => {
  const rows = Array.from({ length: 200 }, (_, index) => row(index, { gpus: [gpu(index, 1)] }));
  expect(systemColumnsOf(rows).gpus).toHaveLength(64);
});

it('are read from the end of a file that is larger than any that was measured', async () => {
  const line = (n: number) =>
    `{"n":${String(n).padStart(6, '0')}}\n`.replace(/:0+/, (zeros) => `:${' '.repeat(zeros.length - 1)}`);
  const content = Buffer.from(Array.from({ length: 40_000 }, (_, index) => line(index + 1)).join(''));
  let read = 0;
  const part = async (_: unknown, __: unknown, start: number, length: number) => {
    read += length;
    return content.subarray(start, start + length);
  };
  const files = {
    part,
    bytes: async function* (_: unknown, __: unknown, start: number, end: number) {
      for (let at = start; at < end; at += 1000) yield await part(_, __, at, Math.min(1000, end - at));
    },
  } as unknown as RunFiles;
  const file = { files, place: {} as FilesPlace, file: 'f', size: content.length, schema: z.object({ n: z.int() }) };
  const most = { ...file, most: 300_000 };
  expect(await allRows(file)).toHaveLength(40_000);
  read = 0;
  const rows = await allRows(most);
  expect(rows.at(-1)).toEqual({ n: 40_000 });
  expect(rows).toHaveLength(Math.floor((300_000 - 1) / line(1).length));
  expect(await newestRows(most, () => false)).toEqual(rows);
  expect(read).toBe(600_000);
});

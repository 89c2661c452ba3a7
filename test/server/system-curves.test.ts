/** Curves of what a run took of its hosts: no curve of what nobody told, and a gap where nothing was measured. */
import { expect, it } from 'vitest';
import type { SystemRow } from '../../contracts/system-metrics.ts';
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

/** Curves of what batches logged: where a batch is on each axis, and what follows a step back. */
import { expect, it } from 'vitest';
import type { BatchRow } from '../../contracts/batch-rows.ts';
import { batchColumnsOf } from '../../server/batch-columns.ts';
import { columnsOf } from '../../server/metric-columns.ts';
import { batchX, follows, joinedBatches, stepsOf } from '../../web/src/curves/batch-columns.ts';

const row = (epoch: number, batch: number, metrics: BatchRow['metrics'] = { loss: 1 }): BatchRow => ({
  ...{ epoch, batch, batches: epoch === 1 ? 4 : 8, metrics },
  at: new Date((epoch * 100 + batch) * 1000).toISOString(),
});
const of = (...rows: BatchRow[]) => ({ source: 'host' as const, ...batchColumnsOf(rows, 20_000) });
const epochs = (...batches: number[]) => ({
  ...{ source: 'host' as const, total: batches.length },
  ...columnsOf(
    batches.map((count, index) => ({
      ...{ epoch: index + 1, batches: count, seconds: 1, metrics: {}, at: '2026-01-01T00:00:00Z' },
    })),
    100,
  ),
});

it('has every batch in its epoch, after all batches of those before, and at its time', () => {
  const columns = of(row(1, 2), row(1, 4), row(2, 2), row(3, 8));
  const trained = epochs(4, 8);
  expect(stepsOf(trained)).toEqual([4, 12]);
  expect(batchX(columns, 'epochs', trained)).toEqual([0.5, 1, 1.25, 3]);
  expect(batchX(columns, 'steps', trained)).toEqual([2, 4, 6, 20]);
  expect(batchX(columns, 'time', trained)).toEqual([102, 104, 202, 308]);
  // Before the first epoch is complete nobody knows more than its own length, and of a loader without one not even that.
  expect(batchX(of(row(1, 2)), 'steps', undefined)).toEqual([2]);
  const unknown = of({ ...row(1, 2), batches: null }, { ...row(1, 5), batches: null });
  expect(batchX(unknown, 'epochs', undefined)).toEqual([0.4, 1]);
  // Epochs that were thinned out count, too.
  expect(stepsOf({ epoch: [1, 11, 12], batches: [4, 4, 4] })).toEqual([4, 44, 48]);
});

it('goes on with what comes since, unless the run went back', () => {
  const before = of(row(1, 2), row(2, 3));
  const more = of(row(2, 5, { loss: 1, accuracy: 0.5 }));
  expect(follows(before, more)).toBe(true);
  expect(joinedBatches(before, more)).toEqual(of(row(1, 2), row(2, 3), row(2, 5, { loss: 1, accuracy: 0.5 })));
  expect(joinedBatches(before, more).metrics.accuracy).toEqual([null, null, 0.5]);
  for (const again of [of(row(2, 3)), of(row(2, 1)), of(row(1, 4))]) expect(follows(before, again)).toBe(false);
  expect(follows(before, of())).toBe(true);
});

it('is thinned out evenly, with its first and its last', () => {
  const rows = Array.from({ length: 100 }, (_, index) => row(1, index + 1));
  const { batch, metrics } = batchColumnsOf(rows, 10);
  expect(batch).toEqual([1, 12, 23, 34, 45, 56, 67, 78, 89, 100]);
  expect(metrics.loss).toHaveLength(10);
});

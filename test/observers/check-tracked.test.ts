/** The checker of what a tracker has of a run tells every difference. */
import { expect, it } from 'vitest';
import { trackedDifferences } from '../faults/check-tracked.ts';
import type { ToldRun } from './servers/mlflow-read.ts';

const rows = [1, 2].map((epoch) => ({ epoch, at: epoch * 1000, metrics: { loss: 1 / epoch } }));
const told = (differs: Partial<ToldRun> = {}): ToldRun => ({
  ...{ id: 'i', status: 'FINISHED', name: 'r', end: 3, digests: [], params: {}, rolledBack: [], rows },
  tags: new Map([['epochal.outcome', 'completed']]),
  measured: { batch: [], system: [] },
  ...differs,
});
const outcome = 'completed' as const;
const batches = [{ key: 'loss', at: 500, value: 1 }];
const measured = { batch: batches.map((one) => ({ step: 1, ...one })), system: [] };

it('none where it has the same', () => {
  expect(trackedDifferences([told()], rows, { outcome })).toEqual([]);
  expect(trackedDifferences([told({ measured })], rows, { outcome }, batches)).toEqual([]);
  expect(
    trackedDifferences([told({ status: 'KILLED', tags: new Map([['epochal.outcome', 'lost']]), rows: [] })], [], {
      outcome: 'lost',
    }),
  ).toEqual([]);
});

it.each<[string, ToldRun[], RegExp]>([
  ['no run', [], /^MLflow has 0 runs of it/],
  ['two runs', [told(), told()], /^MLflow has 2 runs of it/],
  ['another status', [told({ status: 'RUNNING' })], /^MLflow has the status RUNNING for completed/],
  ['no outcome', [told({ tags: new Map() })], /^MLflow has the outcome undefined, and the receipt completed/],
  ['an epoch less', [told({ rows: rows.slice(1) })], /^MLflow has the epochs 2.2000, and metrics.jsonl 1.1000 2.2000/],
  [
    'an epoch twice',
    [told({ rows: [...rows, { epoch: 2, at: 2500, metrics: {} }] })],
    /^MLflow has the epochs .* 2.2500/,
  ],
  [
    'other metrics',
    [told({ rows: rows.map((row) => ({ ...row, metrics: { loss: 1 } })) })],
    /^MLflow has other metrics of epoch 2/,
  ],
  [
    'other batches',
    [told({ measured: { batch: [{ key: 'loss', step: 1, at: 500, value: 2 }], system: [] } })],
    /^MLflow has 1 points of batches, and batches.jsonl 1, or others/,
  ],
])('where it has %s', (_, runs, sentence) => {
  const same = runs.map((run) => (run.measured.batch.length > 0 ? run : { ...run, measured }));
  expect(trackedDifferences(same, rows, { outcome }, batches)).toEqual([expect.stringMatching(sentence)]);
});

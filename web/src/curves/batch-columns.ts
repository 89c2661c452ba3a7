/** What the batches of a run logged, kept up to date; and where they are on each axis. */
import type { BatchColumns, MetricColumns } from '../../../contracts/http-answers.ts';
import { call } from '../api/call.ts';
import { type ColumnsSource, joinedMetrics, useColumns } from './use-columns.ts';

/** What the horizontal axis tells. */
export type CurveX = 'epochs' | 'steps' | 'time';

const source: ColumnsSource<BatchColumns> = {
  name: 'batches',
  everyMs: 3_000,
  ask: (run, after, signal) => call('batches', { params: { run }, query: { after }, signal }),
  last: ({ at }) => at.at(-1),
  joined: (before, more) => (follows(before, more) ? joinedBatches(before, more) : null),
  // What the run has not kept is gone by then.
  isCutAtEnd: true,
};

/** `isWritten`: there is, or was, a session. */
export const useBatchColumns = (run: string, isOver: boolean, isWritten: boolean) =>
  useColumns(source, run, isOver, isWritten);

/** False where the run went back, and trained some batches again. */
export function follows(before: BatchColumns, more: BatchColumns): boolean {
  const [epoch, batch] = [more.epoch[0], more.batch[0]];
  const [lastEpoch, lastBatch] = [before.epoch.at(-1), before.batch.at(-1)];
  if (epoch === undefined || batch === undefined || lastEpoch === undefined || lastBatch === undefined) return true;
  return epoch > lastEpoch || (epoch === lastEpoch && batch > lastBatch);
}

export function joinedBatches(before: BatchColumns, more: BatchColumns): BatchColumns {
  if (more.epoch.length === 0) return before;
  return {
    source: more.source,
    epoch: [...before.epoch, ...more.epoch],
    batch: [...before.batch, ...more.batch],
    batches: [...before.batches, ...more.batches],
    at: [...before.at, ...more.at],
    metrics: joinedMetrics(
      { metrics: before.metrics, length: before.epoch.length },
      { metrics: more.metrics, length: more.epoch.length },
    ),
    all: before.all && more.all,
  };
}

/** Batches of all epochs up to each one's end. */
export function stepsOf({ epoch, batches }: Pick<MetricColumns, 'epoch' | 'batches'>): number[] {
  let [steps, before] = [0, 0];
  return epoch.map((number, index) => {
    // Of epochs that were thinned out each had as many batches as the one that stands for them.
    steps += (number - before) * (batches[index] ?? 0);
    before = number;
    return steps;
  });
}

/** Fractions of epochs, steps, or seconds since 1970. `epochs`: of the complete ones. */
export function batchX(columns: BatchColumns, x: CurveX, epochs: MetricColumns | undefined): number[] {
  if (x === 'time') return columns.at.map((at) => at / 1000);
  const ends = new Map(epochs ? stepsOf(epochs).map((step, index) => [epochs.epoch[index] ?? 0, step]) : []);
  const longest = new Map<number, number>();
  columns.epoch.forEach((epoch, index) => {
    longest.set(epoch, Math.max(longest.get(epoch) ?? 1, columns.batches[index] ?? columns.batch[index] ?? 1));
  });
  return columns.epoch.map((epoch, index) => {
    const batch = columns.batch[index] ?? 0;
    const length = longest.get(epoch) ?? 1;
    if (x === 'epochs') return epoch - 1 + batch / length;
    return (ends.get(epoch - 1) ?? (epoch - 1) * length) + batch;
  });
}

/** Metrics of every epoch of a run, kept up to date. */
import type { MetricColumns } from '../../../contracts/http-answers.ts';
import { call } from '../api/call.ts';
import { type ColumnsSource, joinedMetrics, useColumns } from './use-columns.ts';

const source: ColumnsSource<MetricColumns> = {
  name: 'metrics',
  everyMs: 1_500,
  ask: (run, after, signal) => call('metrics', { params: { run }, query: { after }, signal }),
  last: ({ epoch }) => epoch.at(-1),
  joined: (before, more) => {
    const last = before.epoch.at(-1) ?? 0;
    // Fewer epochs than there were: the run went back, and trained some again.
    const hasGoneBack = more.total < last || (more.epoch[0] !== undefined && more.epoch[0] <= last);
    return hasGoneBack ? null : joined(before, more);
  },
};

/** `isWritten`: an epoch is complete, so that there is something to ask for. */
export const useMetricColumns = (run: string, isOver: boolean, isWritten: boolean) =>
  useColumns(source, run, isOver, isWritten);

export function joined(before: MetricColumns, more: MetricColumns): MetricColumns {
  if (more.epoch.length === 0) return before;
  return {
    source: more.source,
    total: more.total,
    epoch: [...before.epoch, ...more.epoch],
    at: [...before.at, ...more.at],
    seconds: [...before.seconds, ...more.seconds],
    batches: [...before.batches, ...more.batches],
    metrics: joinedMetrics(
      { metrics: before.metrics, length: before.epoch.length },
      { metrics: more.metrics, length: more.epoch.length },
    ),
    all: before.all && more.all,
  };
}

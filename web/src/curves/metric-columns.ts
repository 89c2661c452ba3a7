/** Metrics of every epoch of a run, kept up to date: asks for what came since, and for all again after a step back. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import type { MetricColumns } from '../../../contracts/http-answers.ts';
import { call } from '../api/call.ts';

/** `isWritten`: an epoch is complete, so that there is something to ask for. */
export function useMetricColumns(run: string, isOver: boolean, isWritten: boolean) {
  const queries = useQueryClient();
  const queryKey = ['metrics', run];
  // One more time after the end: the last epoch's row may have come with it.
  useEffect(() => {
    if (isOver) void queries.invalidateQueries({ queryKey: ['metrics', run] });
  }, [queries, run, isOver]);
  return useQuery({
    queryKey,
    enabled: isWritten,
    queryFn: async ({ signal }): Promise<MetricColumns> => {
      const before = queries.getQueryData<MetricColumns>(queryKey);
      const last = before?.epoch.at(-1);
      if (!before || last === undefined) return call('metrics', { params: { run }, signal });
      const more = await call('metrics', { params: { run }, query: { after: last }, signal });
      // Fewer epochs than there were: the run went back, and trained some again.
      const hasGoneBack = more.total < last || (more.epoch[0] !== undefined && more.epoch[0] <= last);
      return hasGoneBack ? call('metrics', { params: { run }, signal }) : joined(before, more);
    },
    refetchInterval: isOver ? false : 1_500,
    staleTime: isOver ? 30_000 : 0,
  });
}

export function joined(before: MetricColumns, more: MetricColumns): MetricColumns {
  if (more.epoch.length === 0) return before;
  const names = new Set([...Object.keys(before.metrics), ...Object.keys(more.metrics)]);
  const missing = (count: number): null[] => new Array<null>(count).fill(null);
  return {
    source: more.source,
    total: more.total,
    epoch: [...before.epoch, ...more.epoch],
    at: [...before.at, ...more.at],
    seconds: [...before.seconds, ...more.seconds],
    batches: [...before.batches, ...more.batches],
    metrics: Object.fromEntries(
      [...names].map((name) => [
        name,
        [
          ...(before.metrics[name] ?? missing(before.epoch.length)),
          ...(more.metrics[name] ?? missing(more.epoch.length)),
        ],
      ]),
    ),
    all: before.all && more.all,
  };
}

/** Columns of a run, kept up to date: asks for what came since, and for all again where that does not follow what is here. */

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { askedEvery } from '../api/asked-every.ts';

export interface ColumnsSource<C> {
  /** Of the query: the same for the same columns. */
  name: string;
  /** How often it is asked while the run is not over, in milliseconds. */
  everyMs: number;
  /** All, or what came after `after`. */
  ask: (run: string, after: number | undefined, signal: AbortSignal) => Promise<C>;
  /** What to ask for more after; undefined: there is nothing yet. */
  last: (columns: C) => number | undefined;
  /** Null where the run went back, and what is here is no longer what there is. */
  joined: (before: C, more: C) => C | null;
  /** The end of a run takes away some of what was there before. */
  isCutAtEnd?: boolean;
}

/** `isThere`: there is something to ask for. A `source` is a constant. */
export function useColumns<C>(source: ColumnsSource<C>, run: string, isOver: boolean, isThere: boolean) {
  const { name, everyMs, ask, last, joined, isCutAtEnd = false } = source;
  const queries = useQueryClient();
  const queryKey = [name, run];
  // One more time after the end, which may have brought the last of it.
  useEffect(() => {
    const filter = { queryKey: [name, run] };
    if (isOver) void (isCutAtEnd ? queries.resetQueries(filter) : queries.invalidateQueries(filter));
  }, [queries, name, run, isOver, isCutAtEnd]);
  return useQuery({
    queryKey,
    enabled: isThere,
    queryFn: async ({ signal }): Promise<C> => {
      const before = queries.getQueryData<C>(queryKey);
      const after = before && last(before);
      if (before === undefined || after === undefined) return ask(run, undefined, signal);
      return joined(before, await ask(run, after, signal)) ?? ask(run, undefined, signal);
    },
    refetchInterval: askedEvery(isOver ? false : everyMs),
    staleTime: isOver ? 30_000 : 0,
  });
}

type Values = Readonly<Record<string, (number | null)[]>>;

/** Metrics of `length` rows, and of `more` that follow: nothing where one of them has none of that name. */
export function joinedMetrics(before: { metrics: Values; length: number }, more: { metrics: Values; length: number }) {
  const names = new Set([...Object.keys(before.metrics), ...Object.keys(more.metrics)]);
  return Object.fromEntries(
    [...names].map((name) => [
      name,
      joinedValues(before.metrics[name], before.length, more.metrics[name], more.length),
    ]),
  );
}

/** Null for each of so many rows where there are none. */
export const joinedValues = <T>(
  before: readonly (T | null)[] | undefined,
  length: number,
  more: readonly (T | null)[] | undefined,
  moreLength: number,
): (T | null)[] => [...(before ?? missing(length)), ...(more ?? missing(moreLength))];

const missing = (count: number): null[] => new Array<null>(count).fill(null);

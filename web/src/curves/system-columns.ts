/** What a run took of its hosts, kept up to date; and its curves. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import type { SystemColumns } from '../../../contracts/http-answers.ts';
import { sizeText } from '../../../contracts/size-text.ts';
import { call } from '../api/call.ts';
import { formatMetric, formatPercent } from '../formatting.ts';

/** `isMeasured`: there is, or was, a session. */
export function useSystemColumns(run: string, isOver: boolean, isMeasured: boolean) {
  const queries = useQueryClient();
  const queryKey = ['system', run];
  // One more time after the end: the last row comes with it.
  useEffect(() => {
    if (isOver) void queries.invalidateQueries({ queryKey: ['system', run] });
  }, [queries, run, isOver]);
  return useQuery({
    queryKey,
    enabled: isMeasured,
    queryFn: async ({ signal }): Promise<SystemColumns> => {
      const before = queries.getQueryData<SystemColumns>(queryKey);
      const last = before?.at.at(-1);
      if (!before || last === undefined) return call('system', { params: { run }, signal });
      // Rows that were joined since are still here as they were before: finer.
      return joinedSystem(before, await call('system', { params: { run }, query: { after: last }, signal }));
    },
    refetchInterval: isOver ? false : 5_000,
    staleTime: isOver ? 30_000 : 0,
  });
}

type Amounts = (number | null)[];
const missing = (count: number): null[] => new Array<null>(count).fill(null);

export function joinedSystem(before: SystemColumns, more: SystemColumns): SystemColumns {
  if (more.at.length === 0) return before;
  const indices = [...new Set([...before.gpus, ...more.gpus].map(({ index }) => index))].sort((a, b) => a - b);
  return {
    source: more.source,
    at: [...before.at, ...more.at],
    seconds: [...before.seconds, ...more.seconds],
    cpu: [...before.cpu, ...more.cpu],
    memoryBytes: [...before.memoryBytes, ...more.memoryBytes],
    readBytes: [...before.readBytes, ...more.readBytes],
    writtenBytes: [...before.writtenBytes, ...more.writtenBytes],
    receivedBytes: [...before.receivedBytes, ...more.receivedBytes],
    sentBytes: [...before.sentBytes, ...more.sentBytes],
    gpus: indices.map((index) => {
      const [one, other] = [before, more].map(({ gpus }) => gpus.find((gpu) => gpu.index === index));
      const both = (name: 'use' | 'memoryBytes' | 'watts' | 'celsius') => [
        ...(one?.[name] ?? missing(before.at.length)),
        ...(other?.[name] ?? missing(more.at.length)),
      ];
      return {
        index,
        use: both('use'),
        memoryBytes: both('memoryBytes'),
        watts: both('watts'),
        celsius: both('celsius'),
      };
    }),
  };
}

export interface SystemCurves {
  title: string;
  curves: { label: string; values: Amounts }[];
  formatValue: (value: number) => string;
}

const perSecond = (bytes: number) => `${sizeText(Math.round(bytes))}/s`;

/** Without those that nobody told, and with a gap where nothing was measured: between two sessions. `x` is in seconds since 1970. */
export function systemCurves(columns: SystemColumns): { x: number[]; plots: SystemCurves[] } {
  const { at, seconds, gpus } = columns;
  const begins = at.map((end, index) => end - (seconds[index] ?? 0) * 1000);
  const isAfterGap = at.map((_, index) => index > 0 && (begins[index] ?? 0) - (at[index - 1] ?? 0) > longestPause);
  const x = at.flatMap((end, index) => (isAfterGap[index] ? [(begins[index] ?? 0) / 1000, end / 1000] : [end / 1000]));
  const spaced = (values: Amounts): Amounts =>
    values.flatMap((value, index) => (isAfterGap[index] ? [null, value] : [value]));
  const ofGpus = (name: 'use' | 'memoryBytes' | 'watts' | 'celsius') =>
    gpus.map((gpu): [string, Amounts] => [`GPU ${gpu.index}`, gpu[name]]);
  const plots: [string, [string, Amounts][], (value: number) => string][] = [
    ['GPU use', ofGpus('use'), formatPercent],
    ['GPU memory', ofGpus('memoryBytes'), sizeText],
    ['GPU power', ofGpus('watts'), (watts) => `${formatMetric(watts)} W`],
    ['GPU temperature', ofGpus('celsius'), (celsius) => `${formatMetric(celsius)} °C`],
    ['CPU, cores in use', [['cores', columns.cpu]], formatMetric],
    ['Memory', [['resident', columns.memoryBytes]], sizeText],
    [
      'Disk',
      [
        ['read', columns.readBytes],
        ['written', columns.writtenBytes],
      ],
      perSecond,
    ],
    [
      'Network of the host',
      [
        ['received', columns.receivedBytes],
        ['sent', columns.sentBytes],
      ],
      perSecond,
    ],
  ];
  return {
    x,
    plots: plots.flatMap(([title, named, formatValue]) => {
      const told = named.filter(([, values]) => values.some((value) => value !== null));
      const curves = told.map(([label, values]) => ({ label, values: spaced(values) }));
      return curves.length === 0 ? [] : [{ title, curves, formatValue }];
    }),
  };
}

/** Milliseconds: a worker that takes a session up again misses less. */
const longestPause = 15_000;

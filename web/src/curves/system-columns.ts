/** What a run took of its hosts, kept up to date; and its curves. */
import type { SystemColumns } from '../../../contracts/http-answers.ts';
import { rateText, sizeText } from '../../../contracts/size-text.ts';
import { call } from '../api/call.ts';
import { formatMetric, formatPercent } from '../formatting.ts';
import { type ColumnsSource, joinedValues, useColumns } from './use-columns.ts';

const source: ColumnsSource<SystemColumns> = {
  name: 'system',
  everyMs: 5_000,
  ask: (run, after, signal) => call('system', { params: { run }, query: { after }, signal }),
  last: ({ at }) => at.at(-1),
  // Rows that were joined since are still here as they were before: finer.
  joined: joinedSystem,
};

/** `isMeasured`: there is, or was, a session. */
export const useSystemColumns = (run: string, isOver: boolean, isMeasured: boolean) =>
  useColumns(source, run, isOver, isMeasured);

type Amounts = (number | null)[];

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
      const both = (name: 'use' | 'memoryBytes' | 'watts' | 'celsius') =>
        joinedValues(one?.[name], before.at.length, other?.[name], more.at.length);
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
      rateText,
    ],
    [
      'Network of the host',
      [
        ['received', columns.receivedBytes],
        ['sent', columns.sentBytes],
      ],
      rateText,
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

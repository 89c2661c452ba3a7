/** Curves of several runs over one axis. Pure. */
import type { MetricColumns } from '../../../contracts/http-answers.ts';
import { stepsOf } from './batch-columns.ts';
import type { CurveLook } from './curve-controls.tsx';
import type { Curve } from './curve-plot.tsx';
import { smoothed } from './smoothing.ts';

interface Source {
  run: string;
  color: string;
  columns: MetricColumns | undefined;
}

/** By epoch, by step, or by minutes since each run's first epoch began, so that runs of different days can be compared. */
export function mergedCurves(
  sources: readonly Source[],
  metric: string,
  look: CurveLook,
): { x: number[]; curves: Curve[] } {
  const own = sources.map(({ columns }) => (columns ? xOf(columns, look) : []));
  const x = [...new Set(own.flat())].sort((a, b) => a - b);
  const place = new Map(x.map((value, index) => [value, index]));
  const curves = sources.map(({ run, color, columns }, source): Curve => {
    const values = new Array<number | null>(x.length).fill(null);
    smoothed(columns?.metrics[metric] ?? [], look.smoothing).forEach((value, index) => {
      const at = place.get(own[source]?.[index] ?? Number.NaN);
      if (at !== undefined) values[at] = value;
    });
    return { label: run, color, values };
  });
  return { x, curves };
}

function xOf(columns: MetricColumns, look: CurveLook): number[] {
  const { epoch, at, seconds } = columns;
  if (look.x === 'epochs') return epoch;
  if (look.x === 'steps') return stepsOf(columns);
  const start = (at[0] ?? 0) - (seconds[0] ?? 0) * 1000;
  return at.map((moment) => (moment - start) / 60_000);
}

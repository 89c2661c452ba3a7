/** Metric curves small enough for workflow state: every row at first, then every 2nd, 4th, … Pure. */
import type { EpochResult } from '../contracts/protocol.ts';
import type { CurvePoint } from '../contracts/run-messages.ts';

const mostPoints = 400;
/** Of all points together, in characters of JSON: a trainer may report a hundred metrics. */
const curveLimit = 96_000;

export interface MetricCurve {
  /** Every `stride`-th epoch is kept. */
  stride: number;
  points: CurvePoint[];
}

export const emptyCurve: MetricCurve = { stride: 1, points: [] };

/** Adds complete epochs. The newest row is always there, whatever the stride. */
export function extendCurve({ stride, points }: MetricCurve, epochs: readonly EpochResult[]): MetricCurve {
  if (epochs.length === 0) return { stride, points };
  let kept = points.filter((point) => point.epoch % stride === 0 || point.epoch === 1);
  kept.push(...epochs.map(({ epoch, at, seconds, metrics }) => ({ epoch, at, seconds, metrics })));
  let wider = stride;
  const fitting = Math.min(mostPoints, Math.max(2, Math.floor(curveLimit / JSON.stringify(kept.at(-1)).length)));
  while (kept.length > fitting) {
    wider *= 2;
    const newest = kept.at(-1);
    kept = kept.filter((point) => point.epoch % wider === 0 || point.epoch === 1 || point === newest);
  }
  return { stride: wider, points: kept };
}

/** One plot of any number of curves; a hundred thousand points stay smooth. Drag to zoom, double-click for all. */
import { useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { formatMetric } from '../formatting.ts';

export interface Curve {
  label: string;
  color: string;
  values: readonly (number | null)[];
  dashed?: boolean;
  /** Drawn pale behind another: the values as they were before smoothing. */
  pale?: boolean;
}

export interface CurvePlotProps {
  /** What a screen reader is told. */
  label: string;
  /** Epoch numbers, or seconds since 1970 when `isTime`; ascending. */
  x: readonly number[];
  curves: Curve[];
  isTime?: boolean;
  /** Under the axis, where it is not the time. */
  xLabel?: string;
  isLog?: boolean;
  /** A curve is broken where it has no value, and not drawn on to its next one. */
  hasGaps?: boolean;
  height?: number;
  /** Plots with the same name show the same moment under the pointer. */
  syncKey?: string;
  formatValue?: (value: number) => string;
}

export function CurvePlot(props: CurvePlotProps) {
  const {
    label,
    x,
    curves,
    isTime = false,
    isLog = false,
    hasGaps = false,
    height = 240,
    syncKey,
    xLabel = 'epoch',
    formatValue = formatMetric,
  } = props;
  const { ref, width } = useElementSize();
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const isZoomed = useRef(false);
  // Known at once: a plot that is made again a moment later would flicker.
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const data = [x, ...curves.map(({ values }) => values)] as unknown as uPlot.AlignedData;
  const shape = JSON.stringify([curves.map(({ values: _, ...look }) => look), isTime, isLog, scheme, syncKey, xLabel]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: made again when its shape changes; data and size are set below
  useEffect(() => {
    if (!holder.current || width === 0) return;
    const ink = scheme === 'dark' ? '#c1c2c5' : '#495057';
    const grid = { stroke: scheme === 'dark' ? '#2f3136' : '#eceef0', width: 1 };
    const axis = { stroke: ink, grid, ticks: grid, font: '11px system-ui, sans-serif' };
    const made = new uPlot(
      {
        width,
        height,
        cursor: { drag: { x: true, y: false }, ...(syncKey ? { sync: { key: syncKey } } : {}) },
        legend: { live: true },
        hooks: {
          // Without a pointer the legend tells the newest values.
          setCursor: [
            (shown) => {
              if (shown.cursor.idx === null || shown.cursor.idx === undefined) tellNewest(shown);
            },
          ],
          setSelect: [
            ({ select }) => {
              if (select.width > 0) isZoomed.current = true;
            },
          ],
        },
        scales: {
          x: { time: isTime },
          y: isLog ? { distr: 3, log: 10 } : { range: (_, min, max) => padded(min, max) },
        },
        axes: [
          {
            ...axis,
            ...(isTime
              ? {}
              : {
                  ...(xLabel === 'epoch' ? { incrs: wholeSteps } : {}),
                  size: 30,
                  label: xLabel,
                  labelSize: 18,
                  labelFont: '11px system-ui, sans-serif',
                }),
          },
          {
            ...axis,
            size: roomFor,
            values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : formatValue(tick))),
          },
        ],
        series: [
          isTime ? {} : { label: xLabel },
          ...curves.map(({ label: name, color, dashed, pale }) => ({
            label: name,
            stroke: pale ? `${color}55` : color,
            width: pale ? 1 : 1.75,
            points: { size: 5, fill: scheme === 'dark' ? '#2e2e2e' : '#ffffff' },
            spanGaps: !hasGaps,
            ...(dashed ? { dash: [6, 4] } : {}),
            value: (_: uPlot, value: number | null) => (value === null ? '–' : formatValue(value)),
          })),
        ],
      },
      data,
      holder.current,
    );
    isZoomed.current = false;
    made.over.addEventListener('dblclick', () => {
      isZoomed.current = false;
    });
    plot.current = made;
    return () => {
      made.destroy();
      plot.current = null;
    };
  }, [shape, width === 0]);

  useEffect(() => {
    const shown = plot.current;
    if (!shown) return;
    // New points must not take a zoom away.
    shown.setData(data, !isZoomed.current);
    if (isZoomed.current) shown.redraw();
    if (shown.cursor.idx === null || shown.cursor.idx === undefined) tellNewest(shown);
  });
  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height });
  }, [width, height]);

  return (
    <div ref={ref} className="plot" role="img" aria-label={`${label}. ${spoken(curves, formatValue)}`}>
      <div ref={holder} />
    </div>
  );
}

function tellNewest(plot: uPlot): void {
  const last = plot.data[0].length - 1;
  if (last >= 0) plot.setLegend({ idx: last }, false);
}

/** As wide as the widest number beside the axis. */
function roomFor(_: uPlot, values: string[] | null): number {
  const longest = Math.max(0, ...(values ?? []).map((value) => value.length));
  return Math.max(44, 18 + longest * 6.5);
}

const wholeSteps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6];

function padded(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 1];
  const room = (max - min || Math.abs(max) || 1) * 0.06;
  return [min - room, max + room];
}

function spoken(curves: Curve[], formatValue: (value: number) => string): string {
  return curves
    .filter(({ pale }) => !pale)
    .map(({ label, values }) => {
      const last = values.findLast((value) => value !== null);
      return last === null || last === undefined ? '' : `${label} is now ${formatValue(last)}`;
    })
    .filter(Boolean)
    .join(', ');
}

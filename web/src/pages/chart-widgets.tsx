/** Widgets of numbers in a plane. */
import { Text } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import type { ValueOf } from '../../../contracts/ui-values.ts';
import { formatMetric } from '../formatting.ts';
import { colorOf, Legend, Plane, toggled } from './plane.tsx';
import { type Range, rangeOf } from './ranges.ts';

interface Axes {
  x: string;
  y: string;
}
interface ViewProps<V> {
  value: V;
  label: string;
  axes: Axes;
}

/** Said under a chart that does not have all. */
export function Notes({ notes }: { notes: readonly (string | false | undefined)[] }) {
  const said = notes.filter(Boolean);
  return said.length === 0 ? null : (
    <Text size="xs" c="dimmed">
      {said.join('. ')}.
    </Text>
  );
}

type Numbers = readonly (number | null)[];

function pathOf(x: Numbers, y: Numbers, toX: (value: number) => number, toY: (value: number) => number): string {
  let path = '';
  let isDrawn = false;
  for (let index = 0; index < x.length; index++) {
    const [a, b] = [x[index], y[index]];
    const isThere = a !== null && a !== undefined && b !== null && b !== undefined;
    if (isThere) path += `${isDrawn ? 'L' : 'M'}${toX(a).toFixed(1)} ${toY(b).toFixed(1)}`;
    isDrawn = isThere;
  }
  return path;
}

interface SeriesProps {
  label: string;
  names: readonly string[];
  series: readonly { x: Numbers; y: Numbers }[];
  ranges?: { x: Range; y: Range };
  axes: Axes;
  draw: 'lines' | 'points';
  notes: readonly (string | false)[];
}

function SeriesView({ label, names, series, ranges, axes, draw, notes }: SeriesProps) {
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const shown = series.map((one, index) => ({ ...one, index })).filter(({ index }) => !hidden.has(names[index] ?? ''));
  const { x, y } = ranges ?? {
    x: rangeOf(
      shown.flatMap((one) => one.x),
      { room: draw === 'points' ? 0.05 : 0 },
    ),
    y: rangeOf(shown.flatMap((one) => one.y)),
  };
  return (
    <>
      <Plane label={`${label}: ${names.join(', ')}`} x={x} y={y} xLabel={axes.x} yLabel={axes.y}>
        {(toX, toY) =>
          shown.map((one): ReactNode => {
            const color = colorOf(one.index);
            if (draw === 'lines')
              return (
                <path
                  key={one.index}
                  d={pathOf(one.x, one.y, toX, toY)}
                  fill="none"
                  stroke={color}
                  strokeWidth={1.75}
                />
              );
            return <path key={one.index} d={dotsOf(one.x, one.y, toX, toY)} fill={color} fillOpacity={0.6} />;
          })
        }
      </Plane>
      <Legend names={names} hidden={hidden} onToggle={(name) => setHidden(toggled(hidden, name))} />
      <Notes notes={notes} />
    </>
  );
}

/** One path for all of them: thousands of elements would be slow. */
function dotsOf(x: Numbers, y: Numbers, toX: (value: number) => number, toY: (value: number) => number): string {
  return x
    .map((a, index) => {
      const b = y[index];
      if (a === null || b === null || b === undefined) return '';
      return `M${(toX(a) - 2.5).toFixed(1)} ${toY(b).toFixed(1)}a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0`;
    })
    .join('');
}

const notAll = (shown: number, of: number, what: string): string | false =>
  of > shown && `${shown.toLocaleString('en')} of ${of.toLocaleString('en')} ${what}`;

function pointsNote(series: readonly { x: Numbers; of: number }[], what: string): string | false {
  const [shown, all] = [series.reduce((sum, { x }) => sum + x.length, 0), series.reduce((sum, { of }) => sum + of, 0)];
  return notAll(shown, all, what);
}

export function LineChartView({ value, label, axes }: ViewProps<ValueOf<'lineChart'>>) {
  const { series, seriesOf } = value;
  return (
    <SeriesView
      {...{ label, series, axes }}
      names={series.map(({ name }) => name)}
      draw="lines"
      notes={[
        notAll(series.length, seriesOf, 'curves are shown'),
        pointsNote(series, 'points are shown, evenly spread'),
      ]}
    />
  );
}

export function ScatterChartView({ value, label, axes }: ViewProps<ValueOf<'scatterChart'>>) {
  const { series, seriesOf } = value;
  return (
    <SeriesView
      {...{ label, series, axes }}
      names={series.map(({ name }) => name)}
      draw="points"
      notes={[notAll(series.length, seriesOf, 'groups are shown'), pointsNote(series, 'points are shown')]}
    />
  );
}

const whole = { x: [0, 1], y: [0, 1.02] } as const;

export function PrCurveView({ value, label }: { value: ValueOf<'prCurve'>; label: string }) {
  const { series, seriesOf } = value;
  return (
    <SeriesView
      label={label}
      names={series.map(({ name, ap }) => (ap === null ? name : `${name} (AP ${formatMetric(ap)})`))}
      series={series.map(({ recall, precision }) => ({ x: recall, y: precision }))}
      ranges={whole}
      axes={{ x: 'recall', y: 'precision' }}
      draw="lines"
      notes={[notAll(series.length, seriesOf, 'curves are shown')]}
    />
  );
}

export function BarChartView({ value, label, axes }: ViewProps<ValueOf<'barChart'>>) {
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const { names, series, of } = value;
  const shown = series.map((one, index) => ({ ...one, index })).filter(({ name }) => !hidden.has(name));
  const y = rangeOf(
    shown.flatMap(({ values }) => values),
    { zero: true },
  );
  const spoken = names
    .slice(0, 10)
    .map((name, index) => `${name} ${formatMetric(series[0]?.values[index] ?? Number.NaN)}`);
  return (
    <>
      <Plane
        label={`${label}: ${spoken.join(', ')}`}
        x={[-0.5, Math.max(0.5, names.length - 0.5)]}
        y={y}
        xNames={names}
        xLabel={axes.x}
        yLabel={axes.y}
      >
        {(toX, toY) => {
          const width = (toX(1) - toX(0)) * (0.8 / Math.max(1, shown.length));
          return shown.map(({ name, values, index }, place) =>
            values.map((bar, at) => {
              if (bar === null) return null;
              const [from, to] = [toY(Math.max(0, bar)), toY(Math.min(0, bar))];
              const x = toX(at) + (place - shown.length / 2) * width;
              return (
                <rect
                  // biome-ignore lint/suspicious/noArrayIndexKey: two bars may have one name
                  key={`${index} ${at}`}
                  {...{ x, width: Math.max(1, width - 1), y: from, height: Math.max(0, to - from) }}
                  fill={colorOf(index)}
                >
                  <title>{`${names[at] ?? ''}${name && `, ${name}`}: ${formatMetric(bar)}`}</title>
                </rect>
              );
            }),
          );
        }}
      </Plane>
      <Legend
        names={series.map(({ name }) => name)}
        hidden={hidden}
        onToggle={(name) => setHidden(toggled(hidden, name))}
      />
      <Notes notes={[of !== null && notAll(names.length, of, 'bars are shown')]} />
    </>
  );
}

export function HistogramView({ value, label, axes }: ViewProps<ValueOf<'histogram'>>) {
  const { edges, counts, leftOut } = value;
  const [first = 0, last = 1] = [edges[0], edges.at(-1)];
  const all = counts.reduce((sum, count) => sum + count, 0);
  return (
    <>
      <Plane
        label={`${label}: ${all} values between ${formatMetric(first)} and ${formatMetric(last)}`}
        x={[first, last]}
        y={rangeOf(counts, { zero: true })}
        xLabel={axes.x}
        yLabel={axes.y || 'count'}
      >
        {(toX, toY) =>
          counts.map((count, index) => {
            const [from, to] = [edges[index] ?? 0, edges[index + 1] ?? 0];
            return (
              <rect
                key={from}
                x={toX(from)}
                width={Math.max(1, toX(to) - toX(from) - 1)}
                y={toY(count)}
                height={Math.max(0, toY(0) - toY(count))}
                fill={colorOf(0)}
              >
                <title>{`${formatMetric(from)} to ${formatMetric(to)}: ${count}`}</title>
              </rect>
            );
          })
        }
      </Plane>
      <Notes notes={[Boolean(leftOut) && `${leftOut} values are not numbers, and are not counted`]} />
    </>
  );
}

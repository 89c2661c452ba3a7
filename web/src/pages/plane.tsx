/** Axes with ticks, and what a chart draws between them; a legend that hides. */
import { Group, UnstyledButton } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import type { ReactNode } from 'react';
import { formatMetric } from '../formatting.ts';
import { curveColors } from '../theme.ts';
import { type Range, ticksOf } from './ranges.ts';

type Scale = (value: number) => number;

interface PlaneProps {
  label: string;
  x: Range;
  y: Range;
  xLabel?: string;
  yLabel?: string;
  /** In the place of numbers: at 0, 1, 2, … */
  xNames?: readonly string[];
  height?: number;
  children: (x: Scale, y: Scale) => ReactNode;
}

export function Plane({ label, x, y, xLabel = '', yLabel = '', xNames, height = 240, children }: PlaneProps) {
  const { ref, width } = useElementSize();
  const [left, right, top] = [52, 10, 8];
  const bottom = (xLabel ? 16 : 0) + 22;
  const toX: Scale = (value) => left + ((value - x[0]) / (x[1] - x[0] || 1)) * Math.max(1, width - left - right);
  const toY: Scale = (value) => height - bottom - ((value - y[0]) / (y[1] - y[0] || 1)) * (height - top - bottom);
  const room = Math.max(1, Math.floor((width - left) / 60));
  return (
    <div ref={ref}>
      {width > 0 && (
        <svg className="plane" width={width} height={height} role="img" aria-label={label}>
          {ticksOf(y, 5).map((tick) => (
            <g key={tick}>
              <line className="grid" x1={left} x2={width - right} y1={toY(tick)} y2={toY(tick)} />
              <text x={left - 6} y={toY(tick) + 4} textAnchor="end">
                {formatMetric(tick)}
              </text>
            </g>
          ))}
          {(xNames ? evenly(xNames.length, room) : ticksOf(x, Math.min(8, room))).map((tick) => (
            <text key={tick} x={toX(tick)} y={height - bottom + 16} textAnchor="middle">
              {xNames ? shortened(xNames[tick] ?? '') : formatMetric(tick)}
            </text>
          ))}
          {xLabel && (
            <text x={(left + width - right) / 2} y={height - 4} textAnchor="middle">
              {xLabel}
            </text>
          )}
          {yLabel && (
            <text transform={`translate(11 ${(top + height - bottom) / 2}) rotate(-90)`} textAnchor="middle">
              {yLabel}
            </text>
          )}
          {children(toX, toY)}
        </svg>
      )}
    </div>
  );
}

const shortened = (name: string) => (name.length > 9 ? `${name.slice(0, 8)}…` : name);

const evenly = (count: number, most: number): number[] => {
  const step = Math.max(1, Math.ceil(count / most));
  return Array.from({ length: Math.ceil(count / step) }, (_, index) => index * step);
};

export const colorOf = (index: number): string => curveColors[index % curveColors.length] ?? '#3b6fd6';

interface LegendProps {
  names: readonly string[];
  hidden: ReadonlySet<string>;
  onToggle: (name: string) => void;
}

export function Legend({ names, hidden, onToggle }: LegendProps) {
  if (names.filter(Boolean).length === 0) return null;
  return (
    <Group gap="sm" mt={4}>
      {names.map((name, index) => (
        <UnstyledButton
          key={name}
          className="legend-entry"
          aria-pressed={!hidden.has(name)}
          onClick={() => onToggle(name)}
        >
          <span className="legend-color" style={{ background: colorOf(index) }} />
          {name}
        </UnstyledButton>
      ))}
    </Group>
  );
}

export function toggled(set: ReadonlySet<string>, name: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(name)) next.add(name);
  return next;
}

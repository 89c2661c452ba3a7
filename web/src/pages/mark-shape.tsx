/** One mark over an image, in the image's own pixels. */
import { useId } from 'react';
import type { PageMark } from '../../../contracts/ui-values.ts';
import { formatMetric } from '../formatting.ts';
import { pageFileAddress } from './run-pages.ts';

interface MarkProps {
  mark: PageMark;
  color: string;
  /** Of what is filled; edges are always whole. */
  opacity: number;
  size: { width: number; height: number };
  run: string;
}

export function MarkShape({ mark, color, opacity, size, run }: MarkProps) {
  const id = useId();
  const stroke = Math.max(size.width, size.height) / 150;
  const edge = { fill: color, fillOpacity: opacity / 2, stroke: color, strokeWidth: stroke };
  const title = `${mark.class}${mark.score === undefined ? '' : ` ${formatMetric(mark.score)}`}`;
  switch (mark.kind) {
    case 'box':
      return (
        <rect {...{ x: mark.x, y: mark.y, width: Math.max(0, mark.width), height: Math.max(0, mark.height) }} {...edge}>
          <title>{title}</title>
        </rect>
      );
    case 'polygon':
      return (
        <polygon points={mark.points.map((point) => point.join(',')).join(' ')} {...edge} fillOpacity={opacity}>
          <title>{title}</title>
        </polygon>
      );
    case 'keypoints':
      return (
        <g>
          <title>{title}</title>
          {mark.links.map(([from, to]) => {
            const [a, b] = [mark.points[from], mark.points[to]];
            return (
              a &&
              b && (
                <line
                  key={`${from} ${to}`}
                  x1={a[0]}
                  y1={a[1]}
                  x2={b[0]}
                  y2={b[1]}
                  stroke={color}
                  strokeWidth={stroke}
                />
              )
            );
          })}
          {mark.points.map(
            (point, index) =>
              point && (
                // biome-ignore lint/suspicious/noArrayIndexKey: a point is told by its index
                <circle key={index} cx={point[0]} cy={point[1]} r={stroke * 1.6} fill={color} />
              ),
          )}
        </g>
      );
    case 'mask':
      return mark.file === null ? null : (
        <g>
          <mask id={id}>
            <image href={pageFileAddress(run, mark.file)} {...size} preserveAspectRatio="none" />
          </mask>
          <rect {...size} fill={color} fillOpacity={opacity} mask={`url(#${id})`}>
            <title>{title}</title>
          </rect>
        </g>
      );
  }
}

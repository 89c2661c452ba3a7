import { Text } from '@mantine/core';
import type { DataSetItem, Mark } from '../../../contracts/data-set.ts';
import { addressOf } from '../../../contracts/http-api.ts';

interface MarkedImageProps {
  host: string;
  dataSet: string;
  item: DataSetItem;
  colors: ReadonlyMap<string, string>;
}

/** An image with its boxes, masks and labels over it. */
export function MarkedImage({ host, dataSet, item, colors }: MarkedImageProps) {
  const { width, height, marks } = item;
  const named = [...new Set(marks.map((mark) => mark.class))];
  const source = addressOf('dataSetImage', { host, dataSet }, { item: item.item });
  return (
    <figure className="marked-image">
      {width === null || height === null ? (
        <Text size="xs" c="dimmed" p="md" ta="center">
          cannot be read
        </Text>
      ) : (
        <svg
          viewBox={`0 0 ${width} ${height}`}
          role="img"
          aria-label={`${item.item}: ${named.join(', ') || 'nothing marked'}`}
        >
          <image
            href={source}
            width={width}
            height={height}
            style={{ imageRendering: Math.max(width, height) < 96 ? 'pixelated' : 'auto' }}
          />
          {marks.map((mark, index) => (
            <MarkShape
              // biome-ignore lint/suspicious/noArrayIndexKey: marks have no name and never change their order
              key={index}
              mark={mark}
              color={colors.get(mark.class) ?? '#3b6fd6'}
              stroke={Math.max(width, height) / 200}
            />
          ))}
        </svg>
      )}
      <figcaption title={item.item}>{named.join(', ') || item.item.split('/').at(-1)}</figcaption>
    </figure>
  );
}

function MarkShape({ mark, color, stroke }: { mark: Mark; color: string; stroke: number }) {
  const look = { fill: color, fillOpacity: 0.18, stroke: color, strokeWidth: stroke };
  switch (mark.kind) {
    case 'label':
      return null;
    case 'box':
      return (
        <rect x={mark.x} y={mark.y} width={mark.width} height={mark.height} {...look}>
          <title>{mark.class}</title>
        </rect>
      );
    case 'polygon':
      return (
        <path
          d={mark.rings.map((ring) => `M${ring.map((point) => point.join(' ')).join('L')}Z`).join('')}
          fillRule="evenodd"
          {...look}
          fillOpacity={0.35}
        >
          <title>{mark.class}</title>
        </path>
      );
    case 'bitmap':
      return <image href={`data:image/png;base64,${mark.png}`} x={mark.x} y={mark.y} opacity={0.5} />;
    case 'points':
      return mark.points.map(([x, y]) => (
        <circle key={`${x} ${y}`} cx={x} cy={y} r={stroke * 2.5} fill={color}>
          <title>{mark.class}</title>
        </circle>
      ));
  }
}

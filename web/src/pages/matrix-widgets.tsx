/** Widgets of rows and columns. */
import { Group, SegmentedControl, Table, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import type { ValueOf } from '../../../contracts/ui-values.ts';
import { formatMetric } from '../formatting.ts';
import { Notes } from './chart-widgets.tsx';

/** Share of its row: no stronger than text on it is read in light and dark. */
const shade = (share: number) =>
  `color-mix(in srgb, #2f5fc4 ${Math.round(Math.min(1, Math.max(0, share)) * 55)}%, transparent)`;

export function ConfusionMatrixView({ value, label }: { value: ValueOf<'confusionMatrix'>; label: string }) {
  const [unit, setUnit] = useState('counts');
  const { classes, counts, leftOut } = value;
  const sums = counts.map((row) => row.reduce((sum, count) => sum + count, 0));
  const right = counts.reduce((sum, row, index) => sum + (row[index] ?? 0), 0);
  const all = sums.reduce((sum, count) => sum + count, 0);
  return (
    <>
      <Group gap="sm">
        <SegmentedControl
          size="xs"
          value={unit}
          onChange={setUnit}
          data={[
            { value: 'counts', label: 'Counts' },
            { value: 'shares', label: '% of row' },
          ]}
          aria-label={`${label}: unit`}
        />
        {all > 0 && (
          <Text size="xs" c="dimmed">
            {((right / all) * 100).toFixed(1)} % of {all.toLocaleString('en')} are right
          </Text>
        )}
      </Group>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard */}
      <section style={{ overflowX: 'auto' }} tabIndex={0} aria-label={`${label}: matrix`}>
        <table className="matrix">
          <caption className="spoken">{label}: rows are what is right, columns what was predicted</caption>
          <thead>
            <tr>
              <th scope="col">right \ predicted</th>
              {classes.map((name, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: two classes may have one name
                <th key={index} scope="col" title={name}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {counts.map((row, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: two classes may have one name
              <tr key={index}>
                <th scope="row" title={classes[index]}>
                  {classes[index]}
                </th>
                {row.map((count, column) => {
                  const share = count / (sums[index] || 1);
                  return (
                    <td
                      // biome-ignore lint/suspicious/noArrayIndexKey: two classes may have one name
                      key={column}
                      style={{ background: shade(share) }}
                    >
                      {count === 0 ? '' : unit === 'counts' ? count : (share * 100).toFixed(0)}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <Notes notes={[leftOut > 0 && `${leftOut} are of no known class, and are not in it`]} />
    </>
  );
}

export function HeatMapView({ value, label }: { value: ValueOf<'heatMap'>; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { values, rows, columns, of } = value;
  const all = values.flat().filter((one) => one !== null);
  const low = all.reduce((least, one) => Math.min(least, one), Number.POSITIVE_INFINITY);
  const high = all.reduce((most, one) => Math.max(most, one), Number.NEGATIVE_INFINITY);
  const [height, width] = [values.length, values[0]?.length ?? 0];
  useEffect(() => {
    const drawn = canvas.current?.getContext('2d');
    if (!drawn || width === 0 || height === 0) return;
    const image = drawn.createImageData(width, height);
    values.forEach((row, y) => {
      row.forEach((one, x) => {
        image.data.set(one === null ? [0, 0, 0, 0] : heat((one - low) / (high - low || 1)), (y * width + x) * 4);
      });
    });
    drawn.putImageData(image, 0, 0);
  }, [values, width, height, low, high]);
  if (all.length === 0) return <Text size="sm">No numbers.</Text>;
  const ends = (names: readonly string[]) => (names.length > 1 ? `${names[0]} … ${names.at(-1)}` : (names[0] ?? ''));
  return (
    <>
      <canvas
        ref={canvas}
        className="heat-map"
        {...{ width, height }}
        style={{ aspectRatio: `${width} / ${height}` }}
        role="img"
        aria-label={`${label}: ${of[0]} rows and ${of[1]} columns from ${formatMetric(low)} to ${formatMetric(high)}`}
      />
      <Notes
        notes={[
          `${formatMetric(low)} (dark) to ${formatMetric(high)} (light)`,
          rows.length > 0 && `rows: ${ends(rows)}`,
          columns.length > 0 && `columns: ${ends(columns)}`,
          (of[0] > height || of[1] > width) && `${height} × ${width} of ${of[0]} × ${of[1]} cells are shown`,
        ]}
      />
    </>
  );
}

/** From dark blue over green to yellow: told apart by most eyes, and in grey. */
export function heat(share: number): [number, number, number, number] {
  const stops = [
    [40, 30, 90],
    [45, 90, 140],
    [35, 145, 140],
    [110, 200, 95],
    [250, 230, 60],
  ] as const;
  const at = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const from = Math.min(Math.floor(at), stops.length - 2);
  const mix = (channel: 0 | 1 | 2) => {
    const [a, b] = [stops[from]?.[channel] ?? 0, stops[from + 1]?.[channel] ?? 0];
    return Math.round(a + (b - a) * (at - from));
  };
  return [mix(0), mix(1), mix(2), 255];
}

export function TableView({ value, label }: { value: ValueOf<'table'>; label: string }) {
  const { columns, rows, of } = value;
  return (
    <>
      <Table.ScrollContainer minWidth={200} maxHeight={420}>
        <Table striped aria-label={label} stickyHeader>
          {columns.length > 0 && (
            <Table.Thead>
              <Table.Tr>
                {columns.map((name, index) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: two columns may have one name
                  <Table.Th key={index}>{name}</Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
          )}
          <Table.Tbody>
            {rows.map((row, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: rows have no names
              <Table.Tr key={index}>
                {row.map((cell, column) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: two columns may have one name
                  <Table.Td key={column} className="figures" style={{ overflowWrap: 'anywhere' }}>
                    {typeof cell === 'number' ? formatMetric(cell) : cell === null ? '–' : String(cell)}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Notes
        notes={[
          of === null
            ? `The first ${rows.length} rows are shown`
            : of > rows.length && `${rows.length} of ${of.toLocaleString('en')} rows are shown`,
        ]}
      />
    </>
  );
}

/** One widget: its title, the epoch that is shown, and what goes wrong with a value. */
import { Alert, Group, Loader, Slider, Stack, Text } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Component, type ReactNode, useState } from 'react';
import type { UiWidget } from '../../../contracts/ui.ts';
import type { PageRow } from '../../../contracts/ui-values.ts';
import { messageOf } from '../api/call.ts';
import { BarChartView, HistogramView, LineChartView, PrCurveView, ScatterChartView } from './chart-widgets.tsx';
import { ImageGridView, ImagePairView, ImageView } from './image-widgets.tsx';
import { ConfusionMatrixView, HeatMapView, TableView } from './matrix-widgets.tsx';
import { pageValueQuery, readValue } from './run-pages.ts';
import { AlertView, HtmlView, MarkdownView, ProgressView, TextView } from './word-widgets.tsx';

interface FrameProps {
  widget: UiWidget;
  /** What it has shown, oldest first. */
  rows: readonly PageRow[];
  run: string;
}

/** Of these the newest counts alone. */
const withoutPast: ReadonlySet<UiWidget['kind']> = new Set(['text', 'markdown', 'alert', 'html', 'progress']);

export function WidgetFrame({ widget, rows, run }: FrameProps) {
  const [chosen, setChosen] = useState<number | null>(null);
  const hasPast = rows.length > 1 && !withoutPast.has(widget.kind);
  const index = chosen === null || !hasPast ? rows.length - 1 : Math.min(chosen, rows.length - 1);
  const row = rows[index];
  const isOneOfEpoch = rows.filter(({ epoch }) => epoch === row?.epoch).length > 1;
  return (
    <section className="widget" aria-label={widget.title || widget.id} data-widget={widget.id}>
      <Group justify="space-between" mb={4}>
        {widget.title && widget.kind !== 'alert' && (
          <Text fw={600} size="sm">
            {widget.title}
          </Text>
        )}
        {row && !withoutPast.has(widget.kind) && (
          <Text size="xs" c="dimmed">
            {row.epoch > 0 ? `epoch ${row.epoch}` : 'before training'}
            {isOneOfEpoch && `, batch ${row.position.batch}`}
          </Text>
        )}
      </Group>
      <Boundary key={row?.at ?? 'none'}>
        {row ? <RowView widget={widget} row={row} run={run} /> : <Unshown widget={widget} />}
      </Boundary>
      {hasPast && (
        <Slider
          mt="xs"
          size="sm"
          maw={360}
          min={0}
          max={rows.length - 1}
          value={index}
          onChange={(value) => setChosen(value === rows.length - 1 ? null : value)}
          label={(value) => `epoch ${rows[value]?.epoch ?? '?'}`}
          thumbLabel={`${widget.title || widget.id}: epoch shown`}
        />
      )}
    </section>
  );
}

/** Nothing was shown yet: a text may be there from the beginning. */
function Unshown({ widget }: { widget: UiWidget }) {
  if ('text' in widget && (widget.text || widget.kind === 'alert'))
    return <Value widget={widget} value={{ text: widget.text }} run="" />;
  return (
    <Text size="sm" c="dimmed">
      Nothing has been shown here yet.
    </Text>
  );
}

function RowView({ widget, row, run }: { widget: UiWidget; row: PageRow; run: string }) {
  const { data, error, isPending } = useQuery({
    ...pageValueQuery(run, row),
    enabled: row.problem === undefined,
    // The one before stays until the next is here: a slider must not flicker.
    placeholderData: keepPreviousData,
  });
  if (row.problem !== undefined) return <Trouble>{row.problem}</Trouble>;
  if (error) return <Trouble>{messageOf(error)}</Trouble>;
  if (isPending) return <Loader size="sm" role="status" aria-label="Loading" />;
  return <Value widget={widget} value={data} run={run} />;
}

function Value({ widget, value, run }: { widget: UiWidget; value: unknown; run: string }) {
  const view = viewOf(widget, value, run);
  return view ?? <Trouble>This version of Epochal cannot show this value.</Trouble>;
}

/** Null for a value that is none of its kind. */
function viewOf(widget: UiWidget, value: unknown, run: string): ReactNode {
  const { title, kind } = widget;
  const label = title || widget.id;
  const shown = <T,>(read: T | null, view: (read: T) => ReactNode): ReactNode => (read === null ? null : view(read));
  switch (kind) {
    case 'text':
      return shown(readValue(kind, value), (read) => <TextView {...read} />);
    case 'markdown':
      return shown(readValue(kind, value), (read) => <MarkdownView {...read} />);
    case 'alert':
      return shown(readValue(kind, { color: widget.color, ...(value as object) }), (read) => (
        <AlertView {...read} title={title} />
      ));
    case 'html':
      return shown(readValue(kind, value), (read) => <HtmlView {...read} label={label} height={widget.height} />);
    case 'progress':
      return shown(readValue(kind, value), (read) => <ProgressView {...read} label={label} />);
    case 'image':
      return shown(readValue(kind, value), (read) => <ImageView value={read} run={run} />);
    case 'imagePair':
      return shown(readValue(kind, value), (read) => <ImagePairView value={read} run={run} label={label} />);
    case 'imageGrid':
      return shown(readValue(kind, value), (read) => <ImageGridView value={read} run={run} classes={widget.classes} />);
    case 'lineChart':
      return shown(readValue(kind, value), (read) => <LineChartView value={read} label={label} axes={widget} />);
    case 'scatterChart':
      return shown(readValue(kind, value), (read) => <ScatterChartView value={read} label={label} axes={widget} />);
    case 'barChart':
      return shown(readValue(kind, value), (read) => <BarChartView value={read} label={label} axes={widget} />);
    case 'histogram':
      return shown(readValue(kind, value), (read) => <HistogramView value={read} label={label} axes={widget} />);
    case 'prCurve':
      return shown(readValue(kind, value), (read) => <PrCurveView value={read} label={label} />);
    case 'heatMap':
      return shown(readValue(kind, value), (read) => <HeatMapView value={read} label={label} />);
    case 'confusionMatrix':
      return shown(readValue(kind, value), (read) => <ConfusionMatrixView value={read} label={label} />);
    case 'table':
      return shown(readValue(kind, value), (read) => <TableView value={read} label={label} />);
  }
}

function Trouble({ children }: { children: ReactNode }) {
  return (
    <Alert color="orange" p="xs">
      {children}
    </Alert>
  );
}

/** A widget that breaks takes nothing with it. */
class Boundary extends Component<{ children: ReactNode }, { isBroken: boolean }> {
  override state = { isBroken: false };

  static getDerivedStateFromError() {
    return { isBroken: true };
  }

  override render() {
    if (this.state.isBroken) return <Trouble>This value cannot be shown.</Trouble>;
    return <Stack gap="xs">{this.props.children}</Stack>;
  }
}

import { Alert, Group, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import type { BatchColumns, MetricColumns, RunDetails } from '../../../contracts/http-answers.ts';
import { isAway, messageOf } from '../api/call.ts';
import type { TracePoint } from '../run/live-trace.ts';
import { PageLoading } from '../shell/shell.tsx';
import { curveColors } from '../theme.ts';
import { batchX, stepsOf, useBatchColumns } from './batch-columns.ts';
import { CurveControls, type CurveLook, useCurveLook } from './curve-controls.tsx';
import { type CurveGroup, groupCurves } from './curve-groups.ts';
import { type Curve, CurvePlot } from './curve-plot.tsx';
import { useMetricColumns } from './metric-columns.ts';
import { PlotCard } from './plot-card.tsx';
import { smoothed } from './smoothing.ts';
import { SystemPlots } from './system-plots.tsx';

interface RunCurvesProps {
  details: RunDetails;
  trace: readonly TracePoint[];
  /** The first plots alone. */
  isCompact?: boolean;
}

export function RunCurves({ details, trace, isCompact = false }: RunCurvesProps) {
  const { run, closedAt } = details.summary;
  const [look, setLook] = useCurveLook();
  const { data, error, isLoading } = useMetricColumns(run, closedAt !== null, (details.view?.position.epoch ?? 0) > 0);
  const groups = groupCurves(Object.keys(data?.metrics ?? {}));
  const isEmpty = !data || data.epoch.length === 0;
  const x = data ? xOf(data, look) : [];
  const hasSession = details.view !== null && (details.view.session !== null || details.view.position.epoch > 0);
  const batches = useBatchColumns(run, closedAt !== null, hasSession && !isCompact).data;
  const hasBatches = batches !== undefined && batches.epoch.length > 0 && !isCompact;
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={2} size="h5">
          Curves
        </Title>
        {(!isEmpty || hasBatches) && <CurveControls look={look} onChange={setLook} />}
      </Group>
      {error && isEmpty && !isAway(error) && (
        <Alert color="red" role="alert">
          {messageOf(error)}
        </Alert>
      )}
      {isLoading && <PageLoading />}
      {isEmpty && !isLoading && !hasBatches && trace.length < 2 && (
        <Text size="sm" c="dimmed">
          The first points appear at the end of the first epoch.
        </Text>
      )}
      {data && !data.all && !isCompact && <NotAllMetrics />}
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        {!isEmpty &&
          (isCompact ? groups.slice(0, 2) : groups).map((group) => (
            <GroupPlot key={group.title} group={group} x={x} metrics={data.metrics} look={look} run={run} />
          ))}
        {!isEmpty && !isCompact && <ThroughputPlot columns={data} look={look} run={run} />}
        {hasBatches && <BatchPlots columns={batches} epochs={data} look={look} run={run} />}
        {!isCompact && trace.length > 1 && <TracePlots trace={trace} hasBatches={hasBatches} />}
      </SimpleGrid>
      {!isCompact && <SystemPlots details={details} />}
    </Stack>
  );
}

/** Said where curves are looked for, so that nobody takes one that is left out for one that was never reported. */
export function NotAllMetrics() {
  return (
    <Text size="sm" c="dimmed">
      Only the first 500 metrics are shown. metrics.jsonl, in the Files tab, has all of them.
    </Text>
  );
}

const xOf = (columns: MetricColumns, look: CurveLook): number[] => {
  if (look.x === 'steps') return stepsOf(columns);
  return look.x === 'time' ? columns.at.map((at) => at / 1000) : columns.epoch;
};

const xNames = { epochs: 'epoch', steps: 'step', time: 'time' } as const;

function curvesOf(group: CurveGroup, metrics: MetricColumns['metrics'], look: CurveLook): Curve[] {
  return group.metrics.flatMap((metric, index): Curve[] => {
    const color = curveColors[index % curveColors.length] ?? '#3b6fd6';
    const values = metrics[metric] ?? [];
    if (look.smoothing === 0) return [{ label: metric, color, values }];
    return [
      { label: `${metric} (raw)`, color, values, pale: true },
      { label: metric, color, values: smoothed(values, look.smoothing) },
    ];
  });
}

interface GroupPlotProps {
  group: CurveGroup;
  /** Whose they are. */
  of?: 'epochs' | 'batches';
  x: number[];
  metrics: MetricColumns['metrics'];
  look: CurveLook;
  run: string;
}

function GroupPlot({ group, of = 'epochs', x, metrics, look, run }: GroupPlotProps) {
  const { title } = group;
  return (
    <PlotCard title={of === 'batches' ? `${title}, batches` : title}>
      <CurvePlot
        label={`${title}${of === 'batches' ? ' of batches' : ''} by ${xNames[look.x]}`}
        x={x}
        xLabel={xNames[look.x]}
        curves={curvesOf(group, metrics, look)}
        isTime={look.x === 'time'}
        isLog={look.isLog}
        syncKey={run}
      />
    </PlotCard>
  );
}

function ThroughputPlot({ columns, look, run }: { columns: MetricColumns; look: CurveLook; run: string }) {
  const rate = columns.batches.map((batches, index) => {
    const seconds = columns.seconds[index] ?? 0;
    return seconds > 0 ? batches / seconds : null;
  });
  return (
    <PlotCard title="Throughput, batches/s">
      <CurvePlot
        label={`Throughput by ${xNames[look.x]}, in batches per second`}
        x={xOf(columns, look)}
        xLabel={xNames[look.x]}
        curves={[{ label: 'batches/s', color: '#7d5fd3', values: smoothed(rate, look.smoothing) }]}
        isTime={look.x === 'time'}
        syncKey={run}
      />
    </PlotCard>
  );
}

interface BatchPlotsProps {
  columns: BatchColumns;
  /** Of complete epochs. */
  epochs: MetricColumns | undefined;
  look: CurveLook;
  run: string;
}

/** What batches logged. */
function BatchPlots({ columns, epochs, look, run }: BatchPlotsProps) {
  const x = batchX(columns, look.x, epochs);
  return groupCurves(Object.keys(columns.metrics)).map((group) => (
    <GroupPlot key={group.title} group={group} of="batches" x={x} metrics={columns.metrics} look={look} run={run} />
  ));
}

/** Since the page was opened: finer than epochs. `hasBatches`: what batches logged is drawn already. */
function TracePlots({ trace, hasBatches }: { trace: readonly TracePoint[]; hasBatches: boolean }) {
  const x = trace.map(({ at }) => at / 1000);
  const names = [...new Set(trace.flatMap(({ metrics }) => Object.keys(metrics)))];
  const loss = names.filter((name) => /loss/i.test(name));
  const inBatches = hasBatches ? [] : loss.length > 0 ? loss : names.slice(0, 2);
  return (
    <>
      {inBatches.length > 0 && (
        <PlotCard title="Live batches (since page opened)">
          <CurvePlot
            label="Batch metrics over time"
            x={x}
            isTime
            syncKey="live"
            curves={inBatches.map((name, index) => ({
              label: name,
              color: curveColors[index % curveColors.length] ?? '#3b6fd6',
              values: trace.map(({ metrics }) => metrics[name] ?? null),
            }))}
          />
        </PlotCard>
      )}
      <PlotCard title="Current rate, batches/s">
        <CurvePlot
          label="Batches per second over time"
          x={x}
          isTime
          syncKey="live"
          curves={[{ label: 'batches/s', color: '#7d5fd3', values: trace.map(({ rate }) => rate) }]}
        />
      </PlotCard>
    </>
  );
}

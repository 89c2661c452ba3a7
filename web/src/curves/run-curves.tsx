import { Alert, Group, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import type { MetricColumns, RunDetails } from '../../../contracts/http-answers.ts';
import { isAway, messageOf } from '../api/call.ts';
import type { TracePoint } from '../run/live-trace.ts';
import { PageLoading } from '../shell/shell.tsx';
import { curveColors } from '../theme.ts';
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
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={2} size="h5">
          Curves
        </Title>
        {!isEmpty && <CurveControls look={look} onChange={setLook} />}
      </Group>
      {error && isEmpty && !isAway(error) && (
        <Alert color="red" role="alert">
          {messageOf(error)}
        </Alert>
      )}
      {isLoading && <PageLoading />}
      {isEmpty && !isLoading && trace.length < 2 && (
        <Text size="sm" c="dimmed">
          The first points appear at the end of the first epoch.
        </Text>
      )}
      {data && !data.all && !isCompact && <NotAllMetrics />}
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        {!isEmpty &&
          (isCompact ? groups.slice(0, 2) : groups).map((group) => (
            <EpochPlot key={group.title} group={group} columns={data} look={look} run={run} />
          ))}
        {!isEmpty && !isCompact && <ThroughputPlot columns={data} look={look} run={run} />}
        {!isCompact && trace.length > 1 && <TracePlots trace={trace} />}
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

interface EpochPlotProps {
  group: CurveGroup;
  columns: MetricColumns;
  look: CurveLook;
  run: string;
}

const xOf = (columns: MetricColumns, look: CurveLook): number[] =>
  look.x === 'time' ? columns.at.map((at) => at / 1000) : columns.epoch;

function EpochPlot({ group, columns, look, run }: EpochPlotProps) {
  const curves = group.metrics.flatMap((metric, index): Curve[] => {
    const color = curveColors[index % curveColors.length] ?? '#3b6fd6';
    const values = columns.metrics[metric] ?? [];
    if (look.smoothing === 0) return [{ label: metric, color, values }];
    return [
      { label: `${metric} (raw)`, color, values, pale: true },
      { label: metric, color, values: smoothed(values, look.smoothing) },
    ];
  });
  return (
    <PlotCard title={group.title}>
      <CurvePlot
        label={`${group.title} by ${look.x === 'time' ? 'time' : 'epoch'}`}
        x={xOf(columns, look)}
        curves={curves}
        isTime={look.x === 'time'}
        isLog={look.isLog}
        syncKey={run}
      />
    </PlotCard>
  );
}

function ThroughputPlot({ columns, look, run }: Omit<EpochPlotProps, 'group'>) {
  const rate = columns.batches.map((batches, index) => {
    const seconds = columns.seconds[index] ?? 0;
    return seconds > 0 ? batches / seconds : null;
  });
  return (
    <PlotCard title="Throughput, batches/s">
      <CurvePlot
        label="Throughput by epoch, in batches per second"
        x={xOf(columns, look)}
        curves={[{ label: 'batches/s', color: '#7d5fd3', values: smoothed(rate, look.smoothing) }]}
        isTime={look.x === 'time'}
        syncKey={run}
      />
    </PlotCard>
  );
}

/** Since the page was opened: finer than epochs. */
function TracePlots({ trace }: { trace: readonly TracePoint[] }) {
  const x = trace.map(({ at }) => at / 1000);
  const names = [...new Set(trace.flatMap(({ metrics }) => Object.keys(metrics)))];
  const loss = names.filter((name) => /loss/i.test(name));
  const inBatches = loss.length > 0 ? loss : names.slice(0, 2);
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

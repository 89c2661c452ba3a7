import { Card, Grid, Group, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import type { LiveProgress, RunDetails } from '../../../contracts/http-answers.ts';
import type { RunView } from '../../../contracts/run-messages.ts';
import { chartQuery } from '../api/queries.ts';
import { chunk } from '../chunk.ts';
import { formatMetric, secondsBetween } from '../formatting.ts';
import { useNow } from '../now.ts';
import { PageLoading } from '../shell/shell.tsx';
import { EventsCard } from './events-card.tsx';
import { LandingCard } from './landing-card.tsx';
import type { TracePoint } from './live-trace.ts';
import { ProgressCard } from './progress-card.tsx';
import { ReceiptSummary } from './receipt-summary.tsx';
import { TimeCard } from './time-card.tsx';

const StateChart = lazy(() =>
  chunk(() => import('./state-chart.tsx')).then((module) => ({ default: module.StateChart })),
);
const RunCurves = lazy(() =>
  chunk(() => import('../curves/run-curves.tsx')).then((module) => ({ default: module.RunCurves })),
);

interface OverviewProps {
  details: RunDetails;
  progress: LiveProgress[];
  trace: readonly TracePoint[];
}

export function Overview({ details, progress, trace }: OverviewProps) {
  const { view } = details;
  if (!view) {
    return (
      <Card>
        <Text>
          {details.trouble ?? 'No worker answers for this run right now.'} What is known is above; the rest appears when
          a worker is back.
        </Text>
      </Card>
    );
  }
  const isLanding = view.state === 'stopping' || view.state === 'uploading';
  return (
    <Stack>
      {view.receipt && <ReceiptSummary receipt={view.receipt} />}
      <Grid gap="md">
        <Grid.Col span={{ base: 12, md: 7 }}>
          {isLanding ? (
            <LandingCard view={view} progress={progress} />
          ) : (
            <ProgressCard view={view} progress={progress} isOver={details.summary.closedAt !== null} />
          )}
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 5 }}>
          <MetricsCard view={view} />
        </Grid.Col>
      </Grid>
      <Card>
        <Title order={2} size="h5" mb="sm">
          State
        </Title>
        <ChartCard view={view} isOver={details.summary.closedAt !== null} />
      </Card>
      <TimeCard time={view.receipt?.time ?? view.time} />
      {view.state !== 'configuring' && (
        <Suspense fallback={<PageLoading />}>
          <RunCurves details={details} trace={trace} isCompact />
        </Suspense>
      )}
      <EventsCard view={view} />
    </Stack>
  );
}

function ChartCard({ view, isOver }: { view: RunView; isOver: boolean }) {
  const { data: graph } = useQuery(chartQuery);
  const now = useNow(1_000, !isOver);
  if (!graph) return <PageLoading />;
  return (
    <Suspense fallback={<PageLoading />}>
      <StateChart graph={graph} view={view} seconds={secondsNow(view, now, isOver)} />
    </Suspense>
  );
}

/** The view's seconds are as of when it was made; the present state keeps counting. */
export function secondsNow(view: RunView, now: number, isOver: boolean): Record<string, number> {
  // A salvage does not know them: the run's own last word does.
  if (view.receipt && Object.keys(view.receipt.stateSeconds).length > 0) return view.receipt.stateSeconds;
  if (isOver || view.state === 'stopped') return view.stateSeconds;
  const sinceEntered = secondsBetween(view.enteredStateAt, now);
  return { ...view.stateSeconds, [view.state]: Math.max(view.stateSeconds[view.state] ?? 0, sinceEntered) };
}

function MetricsCard({ view }: { view: RunView }) {
  const metrics = Object.entries(view.metrics);
  return (
    <Card h="100%">
      <Title order={2} size="h5" mb="sm">
        {view.position.epoch > 0 ? `After epoch ${view.position.epoch}` : 'Metrics'}
      </Title>
      {metrics.length === 0 && (
        <Text c="dimmed" size="sm">
          The first values appear at the end of the first epoch.
        </Text>
      )}
      <Stack gap={6}>
        {metrics.slice(0, 12).map(([name, value]) => (
          <Group key={name} justify="space-between" wrap="nowrap">
            <Text size="sm" truncate>
              {name}
            </Text>
            <Text size="sm" fw={600} className="figures">
              {formatMetric(value)}
            </Text>
          </Group>
        ))}
        {view.best && (
          <Text size="sm" c="dimmed" mt={4}>
            Best {view.best.metric}{' '}
            <Text span fw={600} c="var(--mantine-color-text)" className="figures">
              {formatMetric(view.best.value)}
            </Text>{' '}
            in epoch {view.best.epoch}
            {view.best.from && `, trained by ${view.best.from}`}
          </Text>
        )}
      </Stack>
    </Card>
  );
}

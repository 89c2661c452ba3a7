import { SimpleGrid, Text, Title } from '@mantine/core';
import type { RunDetails } from '../../../contracts/http-answers.ts';
import { isAway, messageOf } from '../api/call.ts';
import { curveColors } from '../theme.ts';
import { CurvePlot } from './curve-plot.tsx';
import { PlotCard } from './plot-card.tsx';
import { systemCurves, useSystemColumns } from './system-columns.ts';

/** What the run took of its hosts, by time. */
export function SystemPlots({ details }: { details: RunDetails }) {
  const { view, summary } = details;
  const isMeasured = view !== null && (view.session !== null || view.position.epoch > 0 || view.receipt !== null);
  const { data, error } = useSystemColumns(summary.run, summary.closedAt !== null, isMeasured);
  const { x, plots } = data ? systemCurves(data) : { x: [], plots: [] };
  const problem = error && !data && !isAway(error) ? messageOf(error) : null;
  if (plots.length === 0 && problem === null) return null;
  return (
    <>
      <Title order={3} size="h6">
        System
      </Title>
      {problem !== null && (
        <Text c="dimmed" size="sm">
          What the run took of its hosts is unavailable: {problem}
        </Text>
      )}
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        {plots.map(({ title, curves, formatValue }) => (
          <PlotCard key={title} title={title}>
            <CurvePlot
              label={`${title} by time`}
              x={x}
              isTime
              hasGaps
              syncKey="system"
              formatValue={formatValue}
              curves={curves.map((curve, index) => ({
                ...curve,
                color: curveColors[index % curveColors.length] ?? '#3b6fd6',
              }))}
            />
          </PlotCard>
        ))}
      </SimpleGrid>
    </>
  );
}

import { ActionIcon, Alert, Anchor, Card, Group, Select, SimpleGrid, Stack, Table, Text, Title } from '@mantine/core';
import { IconChartLine, IconX } from '@tabler/icons-react';
import { useQueries, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { type CSSProperties, useState } from 'react';
import { changedFields } from '../../../contracts/changed-fields.ts';
import type { MetricColumns, RunDetails } from '../../../contracts/http-answers.ts';
import { call, messageOf } from '../api/call.ts';
import { runQuery } from '../api/queries.ts';
import { formatMetric } from '../formatting.ts';
import { StateBadge } from '../runs/state-badge.tsx';
import { EmptyState } from '../shell/empty-state.tsx';
import { PageLoading } from '../shell/shell.tsx';
import { curveColors } from '../theme.ts';
import { CurveControls, type CurveLook, useCurveLook } from './curve-controls.tsx';
import { CurvePlot } from './curve-plot.tsx';
import { mergedCurves } from './merged-curves.ts';
import { NotAllMetrics } from './run-curves.tsx';

const compareRoute = getRouteApi('/compare');

const mostRuns = 8;

export function ComparePage() {
  const { runs: listed = '' } = compareRoute.useSearch();
  const navigate = compareRoute.useNavigate();
  const names = [...new Set(listed.split(',').filter(Boolean))].slice(0, mostRuns);
  const setNames = (after: string[]) =>
    void navigate({ search: { runs: after.join(',') || undefined }, replace: true });
  const [look, setLook] = useCurveLook();
  const details = useQueries({ queries: names.map((run) => ({ ...runQuery(run), refetchInterval: 4_000 })) });
  const metrics = useQueries({
    queries: names.map((run, index) => ({
      // Before the first epoch is complete there is nothing to ask for.
      enabled: (details[index]?.data?.view?.position.epoch ?? 0) > 0,
      queryKey: ['compared-metrics', run],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        call('metrics', { params: { run }, query: { points: 20_000 }, signal }),
      refetchInterval: 4_000,
    })),
  });
  const compared = names.map((run, index) => ({
    run,
    color: curveColors[index % curveColors.length] ?? '#3b6fd6',
    details: details[index]?.data,
    columns: metrics[index]?.data,
  }));
  // What was not asked for, as there is nothing yet, is not awaited.
  const isLoading = details.some(({ isPending }) => isPending) || metrics.some(({ isLoading: loading }) => loading);
  const unread = metrics.find(({ error, data }) => error && !data)?.error ?? null;
  const broken = details.find(({ error }) => error)?.error;
  return (
    <Stack>
      <Title order={1} size="h2">
        Compare runs
      </Title>
      <Group gap="xs">
        {compared.map(({ run, color }) => (
          <span key={run} className="compared" style={{ '--compared-color': color } as CSSProperties}>
            <Anchor size="sm" renderRoot={(props) => <Link {...props} to="/runs/$run" params={{ run }} />}>
              {run}
            </Anchor>
            <ActionIcon
              size="xs"
              variant="subtle"
              color="gray"
              aria-label={`Remove ${run}`}
              onClick={() => setNames(names.filter((other) => other !== run))}
            >
              <IconX size={14} aria-hidden />
            </ActionIcon>
          </span>
        ))}
        {names.length < mostRuns && <AddRun known={names} onAdd={(run) => setNames([...names, run])} />}
      </Group>
      {broken && (
        <Alert color="red" role="alert">
          {messageOf(broken)}
        </Alert>
      )}
      {names.length < 2 && (
        <EmptyState
          icon={<IconChartLine size={32} />}
          title={names.length === 0 ? 'Pick two or more runs' : 'Pick another run'}
          text="Their curves are overlaid, and the parameters that differ are listed."
        />
      )}
      {names.length > 0 && (
        <>
          <CurveControls look={look} onChange={setLook} />
          <ComparedPlots compared={compared} look={look} isLoading={isLoading} problem={unread} />
          <Differences compared={compared} />
        </>
      )}
    </Stack>
  );
}

interface Compared {
  run: string;
  color: string;
  details: RunDetails | undefined;
  columns: MetricColumns | undefined;
}

function AddRun({ known, onAdd }: { known: string[]; onAdd: (run: string) => void }) {
  const [typed, setTyped] = useState('');
  const text = typed.replace(/[^A-Za-z0-9._-]/g, '');
  const { data } = useQuery({
    queryKey: ['runs', 'to-compare', text],
    queryFn: ({ signal }) => call('runs', { query: { text: text || undefined, limit: 20 }, signal }),
  });
  const found = (data?.runs ?? []).map(({ run }) => run).filter((run) => !known.includes(run));
  return (
    <Select
      aria-label="Add a run"
      placeholder="Add a run"
      searchable
      w={260}
      data={found}
      value={null}
      searchValue={typed}
      onSearchChange={setTyped}
      nothingFoundMessage="No such run"
      onChange={(run) => {
        if (run) onAdd(run);
        setTyped('');
      }}
    />
  );
}

interface ComparedPlotsProps {
  compared: Compared[];
  look: CurveLook;
  isLoading: boolean;
  /** Why curves could not be read. */
  problem: Error | null;
}

function ComparedPlots({ compared, look, isLoading, problem }: ComparedPlotsProps) {
  const metrics = [...new Set(compared.flatMap(({ columns }) => Object.keys(columns?.metrics ?? {})))];
  if (metrics.length === 0 && isLoading) return <PageLoading />;
  if (metrics.length === 0 && (problem || compared.some(({ details }) => !details?.view)))
    return (
      <Text c="dimmed" size="sm">
        Their curves are unavailable{problem ? `: ${messageOf(problem)}` : '.'}
      </Text>
    );
  if (metrics.length === 0)
    return (
      <Text c="dimmed" size="sm">
        None of these runs has completed an epoch yet.
      </Text>
    );
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }}>
      {compared.some(({ columns }) => columns && !columns.all) && <NotAllMetrics />}
      {metrics.map((metric) => {
        const { x, curves } = mergedCurves(compared, metric, look);
        return (
          <Card key={metric} padding="sm">
            <Text fw={600} size="sm" mb={4}>
              {metric}
            </Text>
            <CurvePlot
              label={`${metric} of ${compared.length} runs`}
              x={x}
              curves={curves}
              isLog={look.isLog}
              xLabel={{ time: 'minutes since start', steps: 'step', epochs: 'epoch' }[look.x]}
              syncKey="compare"
            />
          </Card>
        );
      })}
    </SimpleGrid>
  );
}

const notKnown = (details: RunDetails | undefined): string => (details ? 'not known' : '…');

function Differences({ compared }: { compared: Compared[] }) {
  // Of a run that no worker answers for, the configuration is not known: it differs in nothing.
  const known = compared.filter(({ details }) => details?.view);
  const fields = changedFields(known.map(({ details }) => details?.view?.config ?? {}));
  return (
    <Card>
      <Title order={2} size="h5" mb="sm">
        Differences
      </Title>
      <Table.ScrollContainer
        minWidth={160 + compared.length * 170}
        scrollAreaProps={{ viewportProps: { tabIndex: 0, role: 'region', 'aria-label': 'Differences' } }}
      >
        <Table verticalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Field</Table.Th>
              {compared.map(({ run, color }) => (
                <Table.Th key={run} style={{ borderTop: `3px solid ${color}` }}>
                  {run}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            <Table.Tr>
              <Table.Th scope="row">state</Table.Th>
              {compared.map(({ run, details }) => (
                <Table.Td key={run}>{details && <StateBadge standing={details.summary.standing} />}</Table.Td>
              ))}
            </Table.Tr>
            <Table.Tr>
              <Table.Th scope="row">best</Table.Th>
              {compared.map(({ run, details }) => (
                <Table.Td key={run} className="figures">
                  {!details?.view
                    ? notKnown(details)
                    : details.view.best
                      ? `${details.view.best.metric} ${formatMetric(details.view.best.value)} (epoch ${details.view.best.epoch})`
                      : '–'}
                </Table.Td>
              ))}
            </Table.Tr>
            {fields.map(({ field, values }) => (
              <Table.Tr key={field}>
                <Table.Th scope="row" fw={500}>
                  {field}
                </Table.Th>
                {compared.map((one) => (
                  <Table.Td key={one.run} className="figures">
                    {known.includes(one) ? values[known.indexOf(one)] : notKnown(one.details)}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Card>
  );
}

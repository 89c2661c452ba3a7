import { Alert, Button, Group, Stack, Text, Title } from '@mantine/core';
import { IconChartLine, IconPlus, IconRocket } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import type { RunsSearch } from '../addresses.ts';
import { call, isAway, messageOf } from '../api/call.ts';
import { counted } from '../formatting.ts';
import { EmptyState } from '../shell/empty-state.tsx';
import { LinkButton } from '../shell/link-button.tsx';
import { PageLoading } from '../shell/shell.tsx';
import { RunsFilters } from './runs-filters.tsx';
import { RunsTable } from './runs-table.tsx';

const runsRoute = getRouteApi('/');

const pageSize = 50;

export function RunsPage() {
  const search = runsRoute.useSearch();
  const navigate = runsRoute.useNavigate();
  /** Cursors of the pages up to this one; they belong to these filters alone. */
  const filters = JSON.stringify(search);
  const [trail, setTrail] = useState<{ filters: string; cursors: string[] }>({ filters, cursors: [] });
  const cursors = trail.filters === filters ? trail.cursors : [];
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());

  const cursor = cursors.at(-1);
  const { data, error } = useQuery({
    queryKey: ['runs', search, cursor],
    queryFn: ({ signal }) => call('runs', { query: { ...search, limit: pageSize, cursor }, signal }),
    refetchInterval: 2_500,
    placeholderData: keepPreviousData,
  });

  const change = (changes: Partial<RunsSearch>) =>
    void navigate({ search: (before) => ({ ...before, ...changes }), replace: true });
  const toggle = (run: string) =>
    setChosen((before) => {
      const after = new Set(before);
      if (!after.delete(run)) after.add(run);
      return after;
    });
  const { sort: _sort, ...filtering } = search;
  const isFiltered = Object.values(filtering).some((value) => value !== undefined && value !== '');

  return (
    <Stack>
      <Group justify="space-between">
        <Group gap="sm" align="baseline">
          <Title order={1} size="h2">
            Runs
          </Title>
          {data?.total !== null && data?.total !== undefined && (
            <Text c="dimmed" className="figures" aria-live="polite">
              {counted(data.total, 'run')}
            </Text>
          )}
        </Group>
        <Group gap="xs">
          {chosen.size > 1 && (
            <LinkButton
              to="/compare"
              search={{ runs: [...chosen].join(',') }}
              variant="light"
              leftSection={<IconChartLine size={17} aria-hidden />}
            >
              Compare {chosen.size}
            </LinkButton>
          )}
          <LinkButton to="/new" leftSection={<IconPlus size={17} aria-hidden />}>
            New run
          </LinkButton>
        </Group>
      </Group>

      {(isFiltered || (data?.runs.length ?? 0) > 0) && <RunsFilters search={search} onChange={change} />}
      {error && !isAway(error) && (
        <Alert color="red" title="The runs could not be listed" role="alert">
          {messageOf(error)}
        </Alert>
      )}
      {!data && !error && <PageLoading />}
      {data && data.runs.length === 0 && cursors.length === 0 && (
        <NoRuns isFiltered={isFiltered} onClear={() => void navigate({ search: {} })} />
      )}
      {data && (data.runs.length > 0 || cursors.length > 0) && (
        <>
          <RunsTable
            runs={data.runs}
            sort={search.sort ?? 'recent'}
            onSort={(sort) => change({ sort: sort === 'recent' ? undefined : sort })}
            chosen={chosen}
            onToggle={toggle}
          />
          {!data.sortedAll && (
            <Text size="sm" c="dimmed">
              There are more runs than are indexed: only the newest are searched and sorted by all their fields.
            </Text>
          )}
          {(data.next || cursors.length > 0) && (
            <Group justify="center">
              <Button
                variant="default"
                disabled={cursors.length === 0}
                onClick={() => setTrail({ filters, cursors: cursors.slice(0, -1) })}
              >
                Previous page
              </Button>
              <Text size="sm" className="figures">
                Page {cursors.length + 1}
              </Text>
              <Button
                variant="default"
                disabled={data.next === null}
                onClick={() => data.next && setTrail({ filters, cursors: [...cursors, data.next] })}
              >
                Next page
              </Button>
            </Group>
          )}
        </>
      )}
    </Stack>
  );
}

function NoRuns({ isFiltered, onClear }: { isFiltered: boolean; onClear: () => void }) {
  if (isFiltered)
    return (
      <EmptyState icon={<IconChartLine size={32} />} title="No runs match these filters">
        <Button variant="default" onClick={onClear}>
          Show all runs
        </Button>
      </EmptyState>
    );
  return (
    <EmptyState
      icon={<IconRocket size={32} />}
      title="Train your first model"
      text="Pick the trainer “Handwritten digits” to see how it works: it has built-in data, needs no GPU, and takes less than a minute."
    >
      <LinkButton to="/new" size="md" leftSection={<IconPlus size={18} aria-hidden />}>
        New run
      </LinkButton>
    </EmptyState>
  );
}

import { Anchor, Card, Checkbox, Group, Progress, Table, Text, UnstyledButton, VisuallyHidden } from '@mantine/core';
import { IconArrowDown, IconArrowsSort, IconArrowUp } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { LiveProgress } from '../../../contracts/http-answers.ts';
import type { RunSummary, Standing } from '../../../contracts/run-summary.ts';
import { call } from '../api/call.ts';
import { formatAge, formatInstant, formatMetric, formatPercent, formatSeconds, secondsBetween } from '../formatting.ts';
import { useNow } from '../now.ts';
import {
  partDone,
  partTrained,
  phaseNames,
  trainingOf,
  waitingOf,
  waitingText,
  workOf,
  workText,
} from './progress-text.ts';
import { StateBadge } from './state-badge.tsx';

interface RunsTableProps {
  runs: RunSummary[];
  sort: string;
  onSort: (sort: string) => void;
  chosen: ReadonlySet<string>;
  onToggle: (run: string) => void;
}

export function RunsTable({ runs, sort, onSort, chosen, onToggle }: RunsTableProps) {
  const now = useNow(1_000);
  const open = runs.filter(({ closedAt }) => closedAt === null).map(({ run }) => run);
  const { data: progress } = useQuery({
    queryKey: ['progress', open],
    queryFn: ({ signal }) => call('progress', { query: { runs: open.join(',') }, signal }),
    enabled: open.length > 0,
    refetchInterval: 1_000,
  });
  const header = { sort, onSort };
  return (
    <Card p={0}>
      <Table.ScrollContainer
        minWidth={860}
        scrollAreaProps={{ type: 'auto', viewportProps: { tabIndex: 0, role: 'region', 'aria-label': 'Runs' } }}
      >
        <Table className="runs-table" highlightOnHover verticalSpacing="sm" aria-label="Runs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th w={36}>
                <VisuallyHidden>Compare</VisuallyHidden>
              </Table.Th>
              <SortHeader {...header} label="Run" up="run" down="-run" />
              <Table.Th>State</Table.Th>
              <Table.Th w={240}>Progress</Table.Th>
              <SortHeader {...header} label="Best" up="bestMetric" down="-bestMetric" />
              <Table.Th>Trainer</Table.Th>
              <Table.Th>Project</Table.Th>
              <SortHeader {...header} label="Started" up="oldest" down="recent" />
              <SortHeader {...header} label="Duration" up="closedAt" down="-closedAt" title="Sort by end time" />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {runs.map((run) => (
              <Table.Tr key={run.run} data-run={run.run}>
                <Table.Td>
                  <Checkbox
                    size="xs"
                    aria-label={`Compare ${run.run}`}
                    checked={chosen.has(run.run)}
                    onChange={() => onToggle(run.run)}
                  />
                </Table.Td>
                <Table.Td className="run-name">
                  <Anchor
                    fw={550}
                    size="sm"
                    title={run.run}
                    renderRoot={(props) => <Link {...props} to="/runs/$run" params={{ run: run.run }} />}
                  >
                    {run.run}
                  </Anchor>
                </Table.Td>
                <Table.Td>
                  <StateBadge standing={standingNow(run, progress?.[run.run] ?? [])} />
                </Table.Td>
                <Table.Td>
                  <RowProgress progress={progress?.[run.run] ?? []} />
                </Table.Td>
                <Table.Td className="figures">{formatMetric(run.bestMetric)}</Table.Td>
                <Table.Td>{run.trainer ?? '–'}</Table.Td>
                <Table.Td>{run.project ?? '–'}</Table.Td>
                <Table.Td className="figures">
                  {run.startedAt === null && '–'}
                  {run.startedAt && (
                    <time dateTime={run.startedAt} title={formatInstant(run.startedAt)}>
                      {formatAge(run.startedAt, now)}
                    </time>
                  )}
                </Table.Td>
                <Table.Td className="figures">
                  {run.startedAt ? formatSeconds(secondsBetween(run.startedAt, run.closedAt ?? now)) : '–'}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Card>
  );
}

/** A list does not tell whether a host has taken a run up; what is being done for it does. */
function standingNow({ standing }: RunSummary, progress: LiveProgress[]): Standing {
  const isTakenUp = waitingOf(progress) === null && (trainingOf(progress) !== null || workOf(progress).length > 0);
  return standing === 'waiting' && isTakenUp ? 'starting' : standing;
}

function RowProgress({ progress }: { progress: LiveProgress[] }) {
  const training = trainingOf(progress);
  const work = workOf(progress)[0];
  const waiting = waitingOf(progress);
  if (waiting) {
    return (
      <Text size="xs" className="figures" c="dimmed">
        {waitingText(waiting)}
      </Text>
    );
  }
  if (training) {
    const part = partTrained(training);
    return (
      <Group gap="xs" wrap="nowrap">
        <Progress value={part * 100} flex={1} miw={70} aria-label="Epochs trained" />
        <Text size="xs" className="figures" c="dimmed">
          {formatPercent(part)} · {training.phase === 'train' ? `epoch ${training.epoch}` : phaseNames[training.phase]}
        </Text>
      </Group>
    );
  }
  if (!work) return null;
  const part = partDone(work);
  return (
    <Group gap="xs" wrap="nowrap">
      {part !== null && <Progress value={part * 100} flex={1} miw={70} color="violet" aria-label={work.doing} />}
      <Text size="xs" className="figures" c="dimmed" truncate maw={220}>
        {workText(work)}
      </Text>
    </Group>
  );
}

interface SortHeaderProps {
  label: string;
  up: string;
  down: string;
  sort: string;
  onSort: (sort: string) => void;
  title?: string;
}

function SortHeader({ label, up, down, sort, onSort, title }: SortHeaderProps) {
  const direction = sort === up ? 'ascending' : sort === down ? 'descending' : 'none';
  const Icon = sort === up ? IconArrowUp : sort === down ? IconArrowDown : IconArrowsSort;
  return (
    <Table.Th aria-sort={direction}>
      <UnstyledButton fz="sm" fw={700} title={title} onClick={() => onSort(sort === down ? up : down)}>
        <Group gap={4} wrap="nowrap">
          {label}
          <Icon size={14} aria-hidden opacity={direction === 'none' ? 0.4 : 1} />
        </Group>
      </UnstyledButton>
    </Table.Th>
  );
}

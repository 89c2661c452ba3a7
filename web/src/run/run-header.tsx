import { ActionIcon, Anchor, Button, Group, Menu, Stack, Text, Title } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import {
  IconChartLine,
  IconCopy,
  IconDots,
  IconExternalLink,
  IconPencil,
  IconPlayerPause,
  IconPlayerPlay,
} from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { RunDetails } from '../../../contracts/http-answers.ts';
import { lifeText } from '../../../contracts/life.ts';
import { call, messageOf } from '../api/call.ts';
import { useIsStale } from '../api/connection.ts';
import { runQuery } from '../api/queries.ts';
import { formatAge, formatInstant } from '../formatting.ts';
import { useNow } from '../now.ts';
import { StateBadge } from '../runs/state-badge.tsx';
import { CopyLine } from '../shell/copy-line.tsx';
import { LinkButton } from '../shell/link-button.tsx';
import { StopButton } from './stop-button.tsx';

export function RunHeader({ details }: { details: RunDetails }) {
  const { summary, view, temporalUi } = details;
  const { run } = summary;
  const began = summary.startedAt ?? summary.createdAt;
  const now = useNow(10_000);
  const life = view && lifeText(view);
  return (
    <Stack gap="xs">
      <Group justify="space-between" align="flex-start">
        <Group gap="sm">
          <Title order={1} size="h2" style={{ overflowWrap: 'anywhere' }}>
            {run}
          </Title>
          <StateBadge standing={summary.standing} />
        </Group>
        <Group gap="xs">
          <PauseButton details={details} />
          <StopButton details={details} />
          {view?.detail === 'configuring.draft' && (
            <LinkButton to="/new" search={{ draft: run }} leftSection={<IconPencil size={17} aria-hidden />}>
              Edit draft
            </LinkButton>
          )}
          <Menu position="bottom-end" shadow="md">
            <Menu.Target>
              <ActionIcon variant="default" size={36} aria-label="More">
                <IconDots size={18} aria-hidden />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item
                leftSection={<IconCopy size={16} aria-hidden />}
                renderRoot={(props) => <Link {...props} to="/new" search={{ from: run }} />}
              >
                New run like this one
              </Menu.Item>
              <Menu.Item
                leftSection={<IconChartLine size={16} aria-hidden />}
                renderRoot={(props) => <Link {...props} to="/compare" search={{ runs: run }} />}
              >
                Compare with other runs
              </Menu.Item>
              {temporalUi && (
                <Menu.Item
                  component="a"
                  href={temporalUi}
                  target="_blank"
                  rel="noreferrer"
                  leftSection={<IconExternalLink size={16} aria-hidden />}
                >
                  Open in the Temporal UI
                </Menu.Item>
              )}
            </Menu.Dropdown>
          </Menu>
        </Group>
      </Group>
      <Group gap="xs" c="dimmed" fz="sm">
        <span>{summary.trainer ?? view?.config.trainer ?? 'no trainer yet'}</span>
        <span aria-hidden>·</span>
        <span>project {summary.project ?? view?.config.project ?? 'default'}</span>
        <span aria-hidden>·</span>
        <time dateTime={began} title={formatInstant(began)}>
          {summary.startedAt ? 'started' : 'created'} {formatAge(began, now)}
        </time>
        {view?.session && (
          <>
            <span aria-hidden>·</span>
            <span>on {view.session.host}</span>
          </>
        )}
        {temporalUi && (
          <>
            <span aria-hidden>·</span>
            <Anchor href={temporalUi} target="_blank" rel="noreferrer" fz="sm">
              Temporal UI
            </Anchor>
          </>
        )}
      </Group>
      {view?.outputFolder && <CopyLine label="Output folder" text={view.outputFolder} />}
      {life && (
        <Text size="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
          Life {life}
        </Text>
      )}
      {view?.problems.map((problem) => (
        <Text key={problem} c="red" size="sm">
          {problem}
        </Text>
      ))}
    </Stack>
  );
}

function PauseButton({ details }: { details: RunDetails }) {
  const isStale = useIsStale();
  const { view, summary } = details;
  const queries = useQueryClient();
  const inner = view?.detail.split('.')[1];
  const isPaused = inner === 'paused' || inner === 'pausing';
  const change = useMutation({
    mutationFn: (what: 'pause' | 'resume') => call(what, { params: { run: summary.run } }),
    onSuccess: (after) =>
      queries.setQueryData(runQuery(summary.run).queryKey, (before) => before && { ...before, view: after }),
    onError: (error) => notifications.show({ color: 'red', title: 'Action failed', message: messageOf(error) }),
  });
  if (view?.state !== 'training') return null;
  if (inner === 'paused')
    return (
      <Button
        leftSection={<IconPlayerPlay size={17} aria-hidden />}
        loading={change.isPending}
        disabled={isStale}
        onClick={() => change.mutate('resume')}
      >
        Resume
      </Button>
    );
  return (
    <Button
      variant="default"
      leftSection={<IconPlayerPause size={17} aria-hidden />}
      loading={change.isPending || isPaused}
      disabled={isStale}
      title="Saves a checkpoint at the batch boundary and releases the GPU"
      onClick={() => change.mutate('pause')}
    >
      {isPaused ? 'Pausing' : 'Pause'}
    </Button>
  );
}

import { Alert, Badge, Button, Card, Code, Collapse, Group, Menu, Stack, Table, Text } from '@mantine/core';
import { IconArrowForwardUp, IconBookmark, IconChevronDown, IconDownload, IconGitFork } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Fragment, useState } from 'react';
import type { KeepReason } from '../../../contracts/checkpoint.ts';
import type { RunCheckpoint, RunDetails } from '../../../contracts/http-answers.ts';
import { addressOf } from '../../../contracts/http-api.ts';
import { sizeText } from '../../../contracts/size-text.ts';
import { isAway, messageOf } from '../api/call.ts';
import { checkpointsQuery } from '../api/queries.ts';
import { counted, formatAge, formatInstant, formatMetric } from '../formatting.ts';
import { CopyIcon } from '../shell/copy-line.tsx';
import { EmptyState } from '../shell/empty-state.tsx';
import { PageLoading } from '../shell/shell.tsx';

const reasonNames: Readonly<Record<KeepReason, { label: string; color: string }>> = {
  best: { label: 'best', color: 'teal' },
  last: { label: 'last', color: 'indigo' },
  every: { label: 'permanent', color: 'violet' },
  resume: { label: 'resume point', color: 'gray' },
  fallback: { label: 'until the newest is stored', color: 'gray' },
  other: { label: 'other', color: 'gray' },
};

export function CheckpointsPanel({ details }: { details: RunDetails }) {
  const { run, closedAt } = details.summary;
  const { data, error } = useQuery(checkpointsQuery(run, closedAt !== null));
  const [opened, setOpened] = useState<string | null>(null);
  if (error && !data)
    return (
      <Alert color={isAway(error) ? 'orange' : 'red'} role="alert">
        {messageOf(error)}
      </Alert>
    );
  if (!data) return <PageLoading />;
  if (data.length === 0)
    return (
      <EmptyState
        icon={<IconBookmark size={32} />}
        title="No checkpoint yet"
        text="One is saved at the end of every epoch, and when the run is stopped or paused."
      />
    );
  return (
    <Card>
      <Table.ScrollContainer
        minWidth={760}
        scrollAreaProps={{ viewportProps: { tabIndex: 0, role: 'region', 'aria-label': 'Checkpoints' } }}
      >
        <Table verticalSpacing="sm" aria-label="Checkpoints">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Checkpoint</Table.Th>
              <Table.Th>Retained as</Table.Th>
              <Table.Th>Where</Table.Th>
              <Table.Th>Size</Table.Th>
              <Table.Th>Saved</Table.Th>
              <Table.Th>{details.view?.best?.metric ?? 'Metrics'}</Table.Th>
              <Table.Th>Use it</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {[...data].reverse().map((checkpoint) => (
              <Fragment key={checkpoint.name}>
                <CheckpointRow
                  run={run}
                  checkpoint={checkpoint}
                  metric={details.view?.best?.metric}
                  isOpened={opened === checkpoint.name}
                  onToggle={() => setOpened(opened === checkpoint.name ? null : checkpoint.name)}
                />
                <Table.Tr>
                  <Table.Td colSpan={7} p={0} style={{ border: 0 }}>
                    <Collapse expanded={opened === checkpoint.name}>
                      <CheckpointFiles run={run} checkpoint={checkpoint} />
                    </Collapse>
                  </Table.Td>
                </Table.Tr>
              </Fragment>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Card>
  );
}

interface CheckpointRowProps {
  run: string;
  checkpoint: RunCheckpoint;
  metric: string | undefined;
  isOpened: boolean;
  onToggle: () => void;
}

function CheckpointRow({ run, checkpoint, metric, isOpened, onToggle }: CheckpointRowProps) {
  const { name, epoch, batch, reasons, stored, files, createdAt, metrics, host } = checkpoint;
  const size = files.reduce((sum, file) => sum + file.size, 0);
  return (
    <Table.Tr data-checkpoint={name} style={{ borderBottom: 0 }}>
      <Table.Td>
        <Text size="sm" fw={600}>
          {name}
        </Text>
        <Text size="xs" c="dimmed">
          {counted(epoch, 'epoch')}
          {batch > 0 && ` and ${counted(batch, 'batch', 'batches')}`}
        </Text>
      </Table.Td>
      <Table.Td>
        <Group gap={4}>
          {reasons.map((reason) => (
            <Badge key={reason} color={reasonNames[reason].color} tt="none">
              {reasonNames[reason].label}
            </Badge>
          ))}
        </Group>
      </Table.Td>
      <Table.Td>
        <Text size="sm">{stored ? 'stored, verified' : `on ${host}, not stored yet`}</Text>
      </Table.Td>
      <Table.Td className="figures">{sizeText(size)}</Table.Td>
      <Table.Td>
        <time dateTime={createdAt} title={formatInstant(createdAt)}>
          {formatAge(createdAt)}
        </time>
      </Table.Td>
      <Table.Td className="figures">{metric ? formatMetric(metrics[metric]) : '–'}</Table.Td>
      <Table.Td>
        <Group gap={6} wrap="nowrap">
          <Button
            size="xs"
            variant="default"
            aria-expanded={isOpened}
            onClick={onToggle}
            rightSection={<IconChevronDown size={14} aria-hidden />}
          >
            {counted(files.length, 'file')}
          </Button>
          <Menu position="bottom-end" shadow="md" width={300}>
            <Menu.Target>
              <Button
                size="xs"
                variant="light"
                rightSection={<IconChevronDown size={14} aria-hidden />}
                aria-label={`Continue or fork from ${name}`}
              >
                Continue or fork
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item
                leftSection={<IconArrowForwardUp size={17} aria-hidden />}
                renderRoot={(props) => (
                  <Link {...props} to="/new" search={{ from: run, checkpoint: name, keepProgress: true }} />
                )}
              >
                Continue from here
                <Text size="xs" c="dimmed">
                  Keeps its epoch numbers and optimizer
                </Text>
              </Menu.Item>
              <Menu.Item
                leftSection={<IconGitFork size={17} aria-hidden />}
                renderRoot={(props) => (
                  <Link {...props} to="/new" search={{ from: run, checkpoint: name, keepProgress: false }} />
                )}
              >
                Fork with other parameters
                <Text size="xs" c="dimmed">
                  A new training that starts with these weights
                </Text>
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

function CheckpointFiles({ run, checkpoint }: { run: string; checkpoint: RunCheckpoint }) {
  const { files, paths, source, name } = checkpoint;
  return (
    <Stack gap={6} p="sm" pl="md">
      {files.map((file, index) => {
        const path = paths[index];
        return (
          <Group key={file.path} gap="sm" wrap="nowrap">
            <Button
              component="a"
              size="compact-sm"
              variant="subtle"
              leftSection={<IconDownload size={15} aria-hidden />}
              {...(path && source
                ? { href: addressOf('file', { run }, { path, download: 'true' }), download: true }
                : { 'data-disabled': true })}
              aria-label={`Download ${file.path} of ${name}`}
            >
              {file.path}
            </Button>
            <Text size="xs" c="dimmed" className="figures" style={{ whiteSpace: 'nowrap' }}>
              {sizeText(file.size)}
            </Text>
            <Code style={{ overflowWrap: 'anywhere' }} data-sha256={file.path}>
              {file.sha256}
            </Code>
            <CopyIcon label={`Copy sha256 of ${file.path}`} text={file.sha256} />
          </Group>
        );
      })}
      {source === null && (
        <Text size="sm" c="dimmed">
          Its host does not answer, and it is not in the store yet: it can be downloaded when the host is back.
        </Text>
      )}
    </Stack>
  );
}

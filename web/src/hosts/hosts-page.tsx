import { Alert, Anchor, Badge, Card, Code, Group, Progress, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { IconServerOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { HostAnswer } from '../../../contracts/http-answers.ts';
import { sizeText } from '../../../contracts/size-text.ts';
import { call, isAway, messageOf } from '../api/call.ts';
import { formatClock } from '../formatting.ts';
import { EmptyState } from '../shell/empty-state.tsx';
import { PageLoading } from '../shell/shell.tsx';
import { KeptFolders } from './kept-folders.tsx';

export function HostsPage() {
  const { data, error } = useQuery({
    queryKey: ['hosts'],
    queryFn: ({ signal }) => call('hosts', { signal }),
    refetchInterval: 3_000,
  });
  return (
    <Stack gap="lg">
      <Title order={1} size="h2">
        Hosts
      </Title>
      {error && !isAway(error) && (
        <Alert color="red" role="alert">
          {messageOf(error)}
        </Alert>
      )}
      {!data && !error && <PageLoading />}
      {data?.length === 0 && (
        <EmptyState
          icon={<IconServerOff size={32} />}
          title="No workers connected"
          text="A worker trains on the machine where it runs, with its GPUs. Start one on each machine:"
        >
          <Code>npx epochal worker</Code>
        </EmptyState>
      )}
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        {data?.map((host) => (
          <HostCard key={`${host.host} ${host.pool}`} host={host} />
        ))}
      </SimpleGrid>
      <KeptFolders />
    </Stack>
  );
}

function HostCard({ host: { host, pool, seenAt, status, problem } }: { host: HostAnswer }) {
  const taken = status?.slots.taken ?? [];
  const total = status?.slots.total ?? 0;
  return (
    <Card data-host={host}>
      <Stack gap="sm">
        <Group justify="space-between" wrap="nowrap">
          <Title order={2} size="h4" style={{ overflowWrap: 'anywhere' }}>
            {host}
          </Title>
          <Badge color={status ? 'teal' : 'orange'} tt="none" miw="fit-content">
            {status ? 'online' : 'does not answer'}
          </Badge>
        </Group>
        <Text size="sm" c="dimmed">
          pool {pool}
          {seenAt && !status && ` · last seen at ${formatClock(seenAt)}; whether it still trains is not known`}
        </Text>
        {problem && (
          <Text size="sm" c="var(--mantine-color-error)">
            {problem}
          </Text>
        )}
        {status && (
          <>
            <div>
              <Group justify="space-between" mb={4}>
                <Text size="sm">Slots</Text>
                <Text size="sm" className="figures">
                  {taken.length} of {total} taken
                </Text>
              </Group>
              <Progress value={total > 0 ? (taken.length / total) * 100 : 0} aria-label="Slots taken" />
            </div>
            {taken.length > 0 && (
              <Group gap="xs">
                <Text size="sm" c="dimmed">
                  Trains
                </Text>
                {taken.map((run) => (
                  <Anchor
                    key={run}
                    size="sm"
                    renderRoot={(props) => <Link {...props} to="/runs/$run" params={{ run }} />}
                  >
                    {run}
                  </Anchor>
                ))}
              </Group>
            )}
            {status.devices.map(({ name, memoryBytes, usedBytes }, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: GPUs of one kind have the same name
              <div key={index}>
                <Group justify="space-between" mb={4} wrap="nowrap">
                  <Text size="sm">{name}</Text>
                  <Text size="sm" className="figures" c="dimmed">
                    {memoryText(memoryBytes, usedBytes)}
                  </Text>
                </Group>
                {memoryBytes !== null && usedBytes !== null && (
                  <Progress value={(usedBytes / memoryBytes) * 100} color="teal" aria-label={`Memory of ${name}`} />
                )}
              </div>
            ))}
            <Text size="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
              {sizeText(status.freeDiskBytes)} free for run folders in {status.dataFolder}
            </Text>
            <Text size="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
              {softwareText(status.software)}
            </Text>
          </>
        )}
      </Stack>
    </Card>
  );
}

function softwareText(software: NonNullable<HostAnswer['status']>['software']): string {
  if (!software) return 'Version unknown: a worker of version 0.1 or older';
  const { version, contract, protocol } = software;
  const spoken = protocol.from === protocol.to ? `${protocol.to}` : `${protocol.from} to ${protocol.to}`;
  return `Epochal ${version} · contract ${contract} · trainer protocol ${spoken}`;
}

function memoryText(memory: number | null, used: number | null): string {
  if (memory === null) return '';
  return used === null ? sizeText(memory) : `${sizeText(used)} of ${sizeText(memory)}`;
}

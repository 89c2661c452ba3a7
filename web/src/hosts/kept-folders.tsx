import { Alert, Anchor, Badge, Button, Card, Code, Group, Modal, Stack, Table, Text, Title } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconTrash, IconUpload } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { KeptFolder } from '../../../contracts/host-messages.ts';
import type { Answer } from '../../../contracts/http-api.ts';
import { runAt } from '../../../contracts/life.ts';
import { sizeText } from '../../../contracts/size-text.ts';
import { call, isAway, messageOf } from '../api/call.ts';
import { useIsStale } from '../api/connection.ts';
import { counted, formatAge } from '../formatting.ts';

/** Of hosts that were not asked, or did not answer, nobody knows what they have. */
function nothingText({ asked, silent }: Pick<Answer<'keptFolders'>, 'asked' | 'silent'>): string {
  if (asked.length > 0) return `None on ${asked.join(', ')}.`;
  return silent.length > 0
    ? `Not known: ${counted(silent.length, 'host')} did not answer.`
    : 'Not known: no workers connected.';
}

export function KeptFolders() {
  const [removing, setRemoving] = useState<KeptFolder | null>(null);
  const queries = useQueryClient();
  const isStale = useIsStale();
  const { data, error } = useQuery({
    queryKey: ['kept-folders'],
    queryFn: ({ signal }) => call('keptFolders', { signal }),
    refetchInterval: 5_000,
  });
  const ask = () => queries.invalidateQueries({ queryKey: ['kept-folders'] });
  const failed = (cause: Error) =>
    notifications.show({ color: 'red', title: 'Action failed', message: messageOf(cause) });
  const publish = useMutation({
    mutationFn: ({ host, run }: KeptFolder) => call('publishKept', { params: { host, run } }),
    onSuccess: (_, { run }) => {
      notifications.show({
        color: 'teal',
        message: `${run} is being published; its folder is removed once every copy is verified`,
      });
      return ask();
    },
    onError: failed,
  });
  const remove = useMutation({
    mutationFn: ({ host, run }: KeptFolder) => call('removeKept', { params: { host, run } }),
    onSuccess: ask,
    onError: failed,
    onSettled: () => setRemoving(null),
  });
  return (
    <section aria-labelledby="kept-title">
      <Title order={2} size="h4" id="kept-title" mb={4}>
        Run folders on the hosts
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        A folder is removed once everything in it has been verified in the store. After a failure it stays until someone
        removes it.
      </Text>
      {error && !isAway(error) && (
        <Alert color="red" role="alert">
          {messageOf(error)}
        </Alert>
      )}
      {data?.silent.map(({ host, problem }) => (
        <Text key={host} size="sm" c="dimmed">
          {host} did not answer: {problem}
        </Text>
      ))}
      {data?.folders.length === 0 && (
        <Card>
          <Text size="sm" c="dimmed">
            {nothingText(data)}
          </Text>
        </Card>
      )}
      {data && data.folders.length > 0 && (
        <Card p={0}>
          <Table.ScrollContainer
            minWidth={760}
            scrollAreaProps={{ viewportProps: { tabIndex: 0, role: 'region', 'aria-label': 'Run folders' } }}
          >
            <Table verticalSpacing="sm">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Run</Table.Th>
                  <Table.Th>Host</Table.Th>
                  <Table.Th>Size</Table.Th>
                  <Table.Th>Last changed</Table.Th>
                  <Table.Th>Reason</Table.Th>
                  <Table.Th>In the store</Table.Th>
                  <Table.Th>Actions</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {data.folders.map((folder) => (
                  <Table.Tr key={`${folder.host} ${folder.run}`} data-kept={folder.run}>
                    <Table.Td>
                      <Anchor
                        size="sm"
                        renderRoot={(props) => <Link {...props} to="/runs/$run" params={{ run: runAt(folder.run) }} />}
                      >
                        {folder.run}
                      </Anchor>
                    </Table.Td>
                    <Table.Td>{folder.host}</Table.Td>
                    <Table.Td className="figures">{sizeText(folder.bytes)}</Table.Td>
                    <Table.Td>{formatAge(folder.modifiedAt)}</Table.Td>
                    <Table.Td>
                      {folder.state === 'live' && (
                        <Badge color="indigo" tt="none" mr={6}>
                          in use
                        </Badge>
                      )}
                      <Text span size="sm">
                        {folder.why}
                      </Text>
                    </Table.Td>
                    <Table.Td>{folder.stored ? 'Complete' : 'Partial'}</Table.Td>
                    <Table.Td>
                      {folder.state !== 'live' && (
                        <Group gap={6} wrap="nowrap">
                          <Button
                            size="xs"
                            variant="default"
                            leftSection={<IconUpload size={15} aria-hidden />}
                            disabled={isStale}
                            loading={publish.isPending && publish.variables?.run === folder.run}
                            onClick={() => publish.mutate(folder)}
                          >
                            Publish
                          </Button>
                          <Button
                            size="xs"
                            variant="light"
                            color="red"
                            disabled={isStale}
                            leftSection={<IconTrash size={15} aria-hidden />}
                            onClick={() => setRemoving(folder)}
                          >
                            Remove
                          </Button>
                        </Group>
                      )}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Card>
      )}
      <Modal
        opened={removing !== null}
        onClose={() => setRemoving(null)}
        title="Remove this run folder?"
        centered
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        {removing && (
          <Stack>
            <Text size="sm">
              <Code>{removing.path}</Code> on {removing.host}, {sizeText(removing.bytes)}.
            </Text>
            <Text size="sm">
              {removing.stored
                ? 'Everything in it has been verified in the store.'
                : 'Not everything in it is in the store: the rest would be lost permanently. Publish it first to keep it.'}
            </Text>
            <Group justify="flex-end">
              <Button variant="default" onClick={() => setRemoving(null)} data-autofocus>
                Keep it
              </Button>
              <Button
                color="red.9"
                disabled={isStale}
                loading={remove.isPending}
                onClick={() => remove.mutate(removing)}
              >
                Remove
              </Button>
            </Group>
          </Stack>
        )}
      </Modal>
    </section>
  );
}

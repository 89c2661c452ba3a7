import { Alert, Anchor, Breadcrumbs, Button, Card, Group, Image, Modal, SimpleGrid, Table, Text } from '@mantine/core';
import { IconDownload, IconFile, IconFolder, IconFolderOpen, IconPhoto } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { FolderEntry } from '../../../contracts/http-answers.ts';
import { addressOf } from '../../../contracts/http-api.ts';
import { sizeText } from '../../../contracts/size-text.ts';
import { askedEvery } from '../api/asked-every.ts';
import { call, isAway, messageOf } from '../api/call.ts';
import { EmptyState } from '../shell/empty-state.tsx';
import { PageLoading } from '../shell/shell.tsx';
import { TextPreview } from './text-preview.tsx';

const runRoute = getRouteApi('/runs/$run');

const isImage = ({ mediaType }: FolderEntry) => mediaType?.startsWith('image/') ?? false;
const isText = ({ name, mediaType, size }: FolderEntry) =>
  size < 2_000_000 &&
  (/\.(txt|log|json|jsonl|ya?ml|csv|md|toml|py|cfg|ini)$/i.test(name) || (mediaType?.startsWith('text/') ?? false));

export function FilesPanel({ run, isOver }: { run: string; isOver: boolean }) {
  const { folder } = runRoute.useSearch();
  const [shown, setShown] = useState<FolderEntry | null>(null);
  const { data, error } = useQuery({
    queryKey: ['files', run, folder, isOver],
    queryFn: ({ signal }) => call('files', { params: { run }, query: { folder }, signal }),
    refetchInterval: askedEvery(isOver ? false : 5_000),
    placeholderData: keepPreviousData,
  });
  const parts = folder ? folder.split('/') : [];
  const fileAddress = (path: string, download = false) =>
    addressOf('file', { run }, { path, download: download ? 'true' : undefined });
  if (error && !data)
    return (
      <Alert color={isAway(error) ? 'orange' : 'red'} role="alert">
        {messageOf(error)}
      </Alert>
    );
  if (!data) return <PageLoading />;
  if (data.entries.length === 0 && !folder)
    return (
      <EmptyState
        icon={<IconFolderOpen size={32} />}
        title="Nothing saved yet"
        text="Checkpoints, the log, metrics and whatever else the trainer saves appear here."
      />
    );
  const images = data.entries.filter(isImage);
  return (
    <Card>
      <Group justify="space-between" mb="sm">
        <Breadcrumbs>
          <FolderLink run={run} folder={undefined} label={run} />
          {parts.map((part, index) => (
            <FolderLink
              key={parts.slice(0, index + 1).join('/')}
              run={run}
              folder={parts.slice(0, index + 1).join('/')}
              label={part}
            />
          ))}
        </Breadcrumbs>
        <Text size="sm" c="dimmed">
          read from {data.source === 'host' ? 'the host' : 'the store'}
        </Text>
      </Group>
      {images.length > 0 && (
        <SimpleGrid cols={{ base: 2, sm: 3, lg: 5 }} mb="md">
          {images.map((entry) => (
            <button
              key={entry.path}
              type="button"
              className="image"
              aria-label={`Show ${entry.name}`}
              onClick={() => setShown(entry)}
            >
              <Image src={fileAddress(entry.path)} alt="" h={140} fit="contain" loading="lazy" />
              <span>{entry.name}</span>
            </button>
          ))}
        </SimpleGrid>
      )}
      <Table verticalSpacing={6} highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Name</Table.Th>
            <Table.Th>Size</Table.Th>
            <Table.Th>
              <Text span size="sm" fw={700}>
                Download
              </Text>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {data.entries.map((entry) => (
            <Table.Tr key={entry.path}>
              <Table.Td>
                <Group gap={8} wrap="nowrap">
                  {entry.kind === 'folder' ? (
                    <IconFolder size={17} aria-hidden />
                  ) : isImage(entry) ? (
                    <IconPhoto size={17} aria-hidden />
                  ) : (
                    <IconFile size={17} aria-hidden />
                  )}
                  {entry.kind === 'folder' ? (
                    <FolderLink run={run} folder={entry.path} label={entry.name} />
                  ) : isImage(entry) || isText(entry) ? (
                    <Anchor component="button" type="button" size="sm" ta="left" onClick={() => setShown(entry)}>
                      {entry.name}
                    </Anchor>
                  ) : (
                    <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
                      {entry.name}
                    </Text>
                  )}
                </Group>
              </Table.Td>
              <Table.Td className="figures" style={{ whiteSpace: 'nowrap' }}>
                {sizeText(entry.size)}
              </Table.Td>
              <Table.Td>
                {entry.kind === 'file' && (
                  <Anchor href={fileAddress(entry.path, true)} download aria-label={`Download ${entry.name}`}>
                    <IconDownload size={17} aria-hidden />
                  </Anchor>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {!data.all && (
        <Text size="sm" c="dimmed" mt="xs">
          There are more files than are listed here; the output folder has them all.
        </Text>
      )}
      <Modal
        opened={shown !== null}
        onClose={() => setShown(null)}
        title={shown?.name}
        size="xl"
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        {shown && isImage(shown) && <Image src={fileAddress(shown.path)} alt={shown.name} fit="contain" mah="70vh" />}
        {shown && !isImage(shown) && <TextPreview address={fileAddress(shown.path)} name={shown.name} />}
        {shown && (
          <Group justify="flex-end" mt="md">
            <Button
              component="a"
              href={fileAddress(shown.path, true)}
              download
              leftSection={<IconDownload size={17} aria-hidden />}
            >
              Download
            </Button>
          </Group>
        )}
      </Modal>
    </Card>
  );
}

function FolderLink({ run, folder, label }: { run: string; folder: string | undefined; label: string }) {
  return (
    <Anchor
      size="sm"
      renderRoot={(props) => <Link {...props} to="/runs/$run" params={{ run }} search={{ tab: 'files', folder }} />}
    >
      {label}
    </Anchor>
  );
}

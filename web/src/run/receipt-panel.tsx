import { Anchor, Card, Code, Grid, Stack, Table, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { codeText } from '../../../contracts/code-text.ts';
import { addressOf } from '../../../contracts/http-api.ts';
import { peakFacts } from '../../../contracts/peak-text.ts';
import type { PublishedFile, Receipt } from '../../../contracts/receipt.ts';
import { sizeText } from '../../../contracts/size-text.ts';
import { dataFacts } from '../data/data-report-card.tsx';
import { formatCount, formatInstant, formatMetric, formatSeconds, secondsBetween } from '../formatting.ts';
import { CopyIcon } from '../shell/copy-line.tsx';
import { ReceiptSummary } from './receipt-summary.tsx';

export function ReceiptPanel({ receipt }: { receipt: Receipt }) {
  const { run, epochs, batches, best, localFolder, stateSeconds, restarts, notes, files, checkpoints } = receipt;
  // A salvage finds files; what went before they were written it cannot know.
  const isForced = receipt.cause.kind === 'failure' && receipt.cause.failure.kind === 'forceStopped';
  const code = codeText(receipt.materials);
  const unlessForced = (text: string): string => (isForced ? 'not known' : text);
  return (
    <Stack data-testid="receipt">
      <ReceiptSummary receipt={receipt} />
      <Grid gap="md">
        <Grid.Col span={{ base: 12, md: 6 }}>
          <Facts
            title="Training"
            facts={[
              ['Epochs', `${formatCount(epochs.trained)} of ${formatCount(epochs.planned)}`],
              ['Batches trained', formatCount(batches.trained)],
              [
                'Batches repeated or lost',
                unlessForced(`${batches.wastedAtLeast ? 'at least ' : ''}${formatCount(batches.wasted)}`),
              ],
              [
                'Batches after the stop',
                batches.afterStop !== null
                  ? formatCount(batches.afterStop)
                  : receipt.cause.kind === 'stop'
                    ? 'not known'
                    : 'no stop was requested',
              ],
              ['Best', best ? bestText(best) : '–'],
              ['Restarts', unlessForced(formatCount(restarts.length))],
            ]}
          />
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 6 }}>
          <Facts
            title="Wrap-up"
            facts={[
              ['Started', unlessForced(formatInstant(receipt.startedAt))],
              ['Ended', formatInstant(receipt.endedAt)],
              ['Duration', unlessForced(formatSeconds(secondsBetween(receipt.startedAt, receipt.endedAt)))],
              ...(code === null ? [] : [['Code', code] as [string, string]]),
              ['Published', sizeText(receipt.publishedBytes)],
              ['Folder on the host', localFolderText(localFolder)],
              [
                'Processes left',
                receipt.processGroupGone === null
                  ? 'the host could not be asked'
                  : receipt.processGroupGone
                    ? 'none'
                    : 'possibly some',
              ],
              ...(receipt.gpuMemoryReleased === null
                ? []
                : [['GPU memory', receipt.gpuMemoryReleased ? 'released' : 'still in use'] as [string, string]]),
            ]}
          />
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 6 }}>
          <Facts
            title="Time in each state"
            facts={Object.entries(stateSeconds).map(([state, seconds]) => [state, formatSeconds(seconds)])}
          />
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 6 }}>
          <Facts
            title={`Metrics after epoch ${epochs.trained}`}
            facts={Object.entries(receipt.metrics).map(([metric, value]) => [metric, formatMetric(value)])}
          />
        </Grid.Col>
      </Grid>
      {receipt.data && (
        <Facts
          title="Data"
          facts={[
            ...dataFacts(receipt.data),
            ...receipt.data.findings.map(({ kind, effect, count }): [string, ReactNode] => [
              effect === 'leftOut' ? `Left out: ${kind}` : `Note: ${kind}`,
              formatCount(count),
            ]),
          ]}
        />
      )}
      {receipt.system && <Facts title="Peak use" facts={peakFacts(receipt.system)} />}
      {restarts.length > 0 && (
        <Facts
          title="Restarts"
          facts={restarts.map(({ at, reason, failure, epoch }) => [
            formatInstant(at),
            `${reason === 'preemption' ? 'preempted' : (failure?.message ?? 'failure')}, after epoch ${epoch}`,
          ])}
        />
      )}
      {notes.length > 0 && (
        <Card>
          <Title order={2} size="h5" mb="sm">
            Notes
          </Title>
          {notes.map((note) => (
            <Text key={note} size="sm">
              {note}
            </Text>
          ))}
        </Card>
      )}
      <Card>
        <Title order={2} size="h5" mb="sm">
          Published files
        </Title>
        <Table.ScrollContainer
          minWidth={600}
          scrollAreaProps={{ viewportProps: { tabIndex: 0, role: 'region', 'aria-label': 'Published files' } }}
        >
          <Table verticalSpacing={6}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>File</Table.Th>
                <Table.Th>Size</Table.Th>
                <Table.Th>sha256</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {[...checkpoints.flatMap((checkpoint) => checkpoint.files), ...files].map((file) => (
                <FileRow key={file.path} run={run} file={file} />
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </Card>
    </Stack>
  );
}

const bestText = ({ metric, value, epoch, from }: NonNullable<Receipt['best']>) =>
  `${metric} ${formatMetric(value)} in epoch ${epoch}${from ? `, trained by ${from}` : ''}`;

function FileRow({ run, file }: { run: string; file: PublishedFile }) {
  return (
    <Table.Tr>
      <Table.Td>
        <Anchor size="sm" href={addressOf('file', { run }, { path: file.path, download: 'true' })} download>
          {file.path}
        </Anchor>
      </Table.Td>
      <Table.Td className="figures">{sizeText(file.size)}</Table.Td>
      <Table.Td style={{ whiteSpace: 'nowrap' }}>
        <Code title={file.sha256}>{file.sha256.slice(0, 16)}…</Code>{' '}
        <CopyIcon label={`Copy sha256 of ${file.path}`} text={file.sha256} />
      </Table.Td>
    </Table.Tr>
  );
}

export function Facts({ title, facts }: { title: string; facts: [string, ReactNode][] }) {
  return (
    <Card h="100%">
      <Title order={2} size="h5" mb="sm">
        {title}
      </Title>
      {facts.length === 0 && (
        <Text size="sm" c="dimmed">
          None.
        </Text>
      )}
      <Table variant="vertical" withRowBorders={false} verticalSpacing={4} layout="auto">
        <Table.Tbody>
          {facts.map(([name, value]) => (
            <Table.Tr key={name}>
              <Table.Th scope="row" fw={400} w="45%" bg="transparent">
                <Text size="sm" c="dimmed">
                  {name}
                </Text>
              </Table.Th>
              <Table.Td className="figures">{value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Card>
  );
}

function localFolderText(folder: Receipt['localFolder']): string {
  switch (folder.kind) {
    case 'none':
      return 'none';
    case 'removed':
      return 'removed after the copies were verified';
    case 'kept':
      return `kept on ${folder.host}: ${folder.why}`;
    case 'unknown':
      return `${folder.host} does not answer; it will clean up when it is back`;
    case 'other':
      return 'not known to this version';
  }
}

import { Alert, Badge, Group, Radio, Stack, Text, TextInput, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { TrainerManifest } from '../../../contracts/trainer-manifest.ts';
import { messageOf } from '../api/call.ts';
import { dataSetsQuery } from '../api/queries.ts';
import { DataReportCard } from '../data/data-report-card.tsx';
import { PageLoading } from '../shell/shell.tsx';
import type { StepProps } from './config-fields.tsx';
import { DataSetPreview } from './data-set-preview.tsx';
import { valueAt } from './plain-json.ts';

const kindNames = {
  images: 'image folders',
  coco: 'COCO',
  yolo: 'YOLO',
  supervisely: 'Supervisely',
  unknown: 'unknown format',
} as const;

export function StepData({ written, problems, pool, manifest }: StepProps & { manifest: TrainerManifest | undefined }) {
  const { data, error } = useQuery(dataSetsQuery(pool));
  const value = valueAt(written.config, ['data']);
  const chosen = typeof value === 'string' ? value : undefined;
  const offered = data?.dataSets ?? [];
  const shown = offered.find((one) => one.data === chosen);
  const kinds = manifest?.datasets ?? [];
  return (
    <Stack>
      <Title order={2} size="h4">
        Data set
      </Title>
      {manifest && (
        <Text size="sm" c="dimmed">
          {kinds.length === 0
            ? `${manifest.title} has built-in data.`
            : `${manifest.title} takes ${kinds.map(({ kind, description }) => `${kind} (${description})`).join(', ')}.`}
        </Text>
      )}
      {error && (
        <Alert color="orange" role="alert">
          Data sets could not be listed: {messageOf(error)}
        </Alert>
      )}
      {!data && !error && <PageLoading />}
      <Radio.Group
        label="Data sets on the workers"
        value={shown ? shown.data : chosen === undefined ? '' : 'typed'}
        onChange={(next) => written.set(['data'], next === '' ? undefined : next === 'typed' ? (chosen ?? '') : next)}
      >
        <Stack gap="xs" mt="xs">
          <Radio.Card value="" p="sm" radius="md">
            <Group wrap="nowrap">
              <Radio.Indicator />
              <div>
                <Text size="sm" fw={550}>
                  No data set (built into the trainer)
                </Text>
                <Text size="xs" c="dimmed">
                  For example “Handwritten digits”
                </Text>
              </div>
            </Group>
          </Radio.Card>
          {offered.map((one) => (
            <Radio.Card key={`${one.host} ${one.id}`} value={one.data} p="sm" radius="md">
              <Group wrap="nowrap">
                <Radio.Indicator />
                <div style={{ minWidth: 0 }}>
                  <Group gap="xs">
                    <Text size="sm" fw={550}>
                      {one.name}
                    </Text>
                    <Badge color="gray" tt="none">
                      {kindNames[one.kind]}
                    </Badge>
                  </Group>
                  <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
                    {one.data} on {one.host}
                  </Text>
                </div>
              </Group>
            </Radio.Card>
          ))}
        </Stack>
      </Radio.Group>
      {data && offered.length === 0 && (
        <Text size="sm" c="dimmed">
          {data.asked.length > 0
            ? `${data.asked.join(', ')} found none. Workers look in the folders listed in EPOCHAL_DATA_SETS; a path works without that.`
            : 'Not known: no worker of this pool answered. A path works without that.'}
        </Text>
      )}
      <TextInput
        label="Or enter a path on the worker"
        name="data"
        placeholder="/data/my-images"
        value={chosen ?? ''}
        onChange={(event) => written.set(['data'], event.currentTarget.value || undefined)}
        error={problems.of('data') ?? null}
      />
      {problems.dataReport && <DataReportCard report={problems.dataReport} place={shown ?? null} />}
      {shown && <DataSetPreview host={shown.host} id={shown.id} />}
      {data?.silent.map(({ host, problem }) => (
        <Text key={host} size="sm" c="dimmed">
          {host} did not answer: {problem}
        </Text>
      ))}
    </Stack>
  );
}

import { Alert, Button, Card, Group, Progress, Select, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { DataSetDetails } from '../../../contracts/data-set.ts';
import { call, messageOf } from '../api/call.ts';
import { dataSetQuery } from '../api/queries.ts';
import { counted, formatCount, formatPercent } from '../formatting.ts';
import { PageLoading } from '../shell/shell.tsx';
import { curveColors } from '../theme.ts';
import { MarkedImage } from './marked-image.tsx';

const pageSize = 12;

/** What a data set holds: its classes, its split, images with what is marked on them. */
export function DataSetPreview({ host, id }: { host: string; id: string }) {
  const params = { host, dataSet: id };
  const [split, setSplit] = useState<string | null>(null);
  const [className, setClassName] = useState<string | null>(null);
  const [offset, setOffset] = useState(0);
  const details = useQuery(dataSetQuery(host, id));
  const items = useQuery({
    queryKey: ['data-set-items', host, id, split, className, offset],
    queryFn: ({ signal }) =>
      call('dataSetItems', {
        params,
        query: { split: split ?? undefined, class: className ?? undefined, offset, limit: pageSize },
        signal,
      }),
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  });
  if (details.error) return <Alert color="red">{messageOf(details.error)}</Alert>;
  if (!details.data) return <PageLoading />;
  const { classes, splits, problems, images } = details.data;
  const colors = new Map(
    classes.map(({ name, color }, index) => [name, color ?? curveColors[index % curveColors.length] ?? '#3b6fd6']),
  );
  const total = items.data?.total ?? 0;
  return (
    <Card bg="transparent">
      <Stack>
        <Title order={3} size="h5">
          {details.data.name}: {counted(images, 'image')}, {counted(classes.length, 'class', 'classes')}
        </Title>
        {problems.map((problem) => (
          <Alert key={problem} color="orange">
            {problem}
          </Alert>
        ))}
        <SplitBar splits={splits} />
        <ClassCounts classes={classes} colors={colors} />
        <Group gap="xs">
          <Select
            aria-label="Split"
            placeholder="Every split"
            size="xs"
            clearable
            clearButtonProps={{ 'aria-label': 'Every split' }}
            data={splits.map(({ name }) => name)}
            value={split}
            onChange={(value) => {
              setSplit(value);
              setOffset(0);
            }}
          />
          <Select
            aria-label="Class"
            placeholder="Every class"
            size="xs"
            clearable
            searchable
            clearButtonProps={{ 'aria-label': 'Every class' }}
            data={classes.map(({ name }) => name)}
            value={className}
            onChange={(value) => {
              setClassName(value);
              setOffset(0);
            }}
          />
        </Group>
        {items.error && <Alert color="red">{messageOf(items.error)}</Alert>}
        <SimpleGrid cols={{ base: 2, sm: 3, lg: 4 }} spacing="xs">
          {items.data?.items.map((item) => (
            <MarkedImage key={item.item} host={host} dataSet={id} item={item} colors={colors} />
          ))}
        </SimpleGrid>
        {total > pageSize && (
          <Group justify="center">
            <Button
              size="xs"
              variant="default"
              disabled={offset === 0}
              onClick={() => setOffset(Math.max(0, offset - pageSize))}
            >
              Previous
            </Button>
            <Text size="sm" className="figures">
              {formatCount(offset + 1)}–{formatCount(Math.min(total, offset + pageSize))} of {formatCount(total)}
            </Text>
            <Button
              size="xs"
              variant="default"
              disabled={offset + pageSize >= total}
              onClick={() => setOffset(offset + pageSize)}
            >
              Next
            </Button>
          </Group>
        )}
      </Stack>
    </Card>
  );
}

function SplitBar({ splits }: Pick<DataSetDetails, 'splits'>) {
  const all = splits.reduce((sum, { items }) => sum + items, 0) || 1;
  return (
    <div>
      <Progress.Root size={22}>
        {splits.map(({ name, items }, index) => (
          <Progress.Section
            key={name}
            aria-label={`Part of ${name}`}
            value={(items / all) * 100}
            color={['indigo.8', 'teal.9', 'orange.9', 'grape.8'][index % 4] ?? 'gray.7'}
          >
            {items / all > 0.12 && <Progress.Label>{name}</Progress.Label>}
          </Progress.Section>
        ))}
      </Progress.Root>
      <Text size="xs" c="dimmed" mt={4}>
        {splits.map(({ name, items }) => `${name} ${formatCount(items)} (${formatPercent(items / all)})`).join(' · ')}
      </Text>
    </div>
  );
}

function ClassCounts({ classes, colors }: Pick<DataSetDetails, 'classes'> & { colors: ReadonlyMap<string, string> }) {
  const most = Math.max(1, ...classes.map(({ marks }) => marks));
  return (
    <SimpleGrid
      cols={{ base: 1, sm: 2 }}
      spacing="xl"
      verticalSpacing={4}
      mah={220}
      style={{ overflowY: 'auto' }}
      tabIndex={0}
      aria-label="Classes"
      role="list"
    >
      {classes.map(({ name, items, marks }) => (
        <Group
          key={name}
          gap="xs"
          wrap="nowrap"
          role="listitem"
          title={`${counted(marks, 'mark')} on ${counted(items, 'image')}`}
        >
          <Text size="xs" w={110} truncate>
            {name}
          </Text>
          <Progress
            value={(marks / most) * 100}
            color={colors.get(name) ?? 'gray'}
            flex={1}
            size="sm"
            aria-label={`${name}: ${marks}`}
          />
          <Text size="xs" className="figures" w={48} ta="right">
            {formatCount(marks)}
          </Text>
        </Group>
      ))}
    </SimpleGrid>
  );
}

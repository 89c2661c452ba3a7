import { Autocomplete, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { healthQuery } from '../api/queries.ts';
import { counted } from '../formatting.ts';
import { PriorityField, type StepProps, TextField } from './config-fields.tsx';
import { valueAt } from './plain-json.ts';
import { TrackerField } from './tracker-field.tsx';

export function StepWhere({ written, problems, pool, isDraft }: StepProps & { isDraft: boolean }) {
  const bound = { written, problems };
  const health = useQuery(healthQuery);
  const pools = health.data?.pools ?? [];
  const chosen = valueAt(written.config, ['pool']);
  const workers = pools.find((one) => one.pool === (chosen ?? pool))?.workers ?? 0;
  return (
    <Stack gap="lg">
      <section aria-labelledby="results-title">
        <Title order={2} size="h4" id="results-title" mb="sm">
          Destination
        </Title>
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          {!isDraft && (
            <TextField
              {...bound}
              field="run"
              label="Run id"
              description="Letters, digits, dots, underscores and hyphens"
              placeholder="generated from trainer and time"
            />
          )}
          <TextField
            {...bound}
            field="project"
            label="Project"
            description="Groups runs; results of a project share a folder"
          />
        </SimpleGrid>
        <TextField
          {...bound}
          field="store"
          label="Store"
          placeholder="the worker's default"
          description="An absolute path or address that every worker of the pool can reach"
        />
        <TrackerField {...bound} />
      </section>
      <section aria-labelledby="pool-title">
        <Title order={2} size="h4" id="pool-title" mb="sm">
          Resources
        </Title>
        <Stack>
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            <Autocomplete
              label="Pool"
              name="pool"
              placeholder={pool ?? ''}
              data={pools.map((one) => one.pool)}
              value={typeof chosen === 'string' ? chosen : ''}
              onChange={(value) => written.set(['pool'], value || undefined)}
              error={problems.of('pool') ?? null}
              description={
                workers > 0 ? `${counted(workers, 'worker')} online` : 'No workers online: the run would wait'
              }
            />
            <TextField
              {...bound}
              field="fairnessKey"
              label="Fair-share key"
              placeholder="not set"
              description="Runs with the same key share their pool's slots"
            />
          </SimpleGrid>
          <PriorityField {...bound} />
          <Text size="sm" c="dimmed">
            Which of the waiting runs gets the next free slot.
          </Text>
        </Stack>
      </section>
    </Stack>
  );
}

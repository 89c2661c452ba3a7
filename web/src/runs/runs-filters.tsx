import { Button, Group, Select, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconSearch, IconX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { type Outcome, outcomeSchema, type RunState, runStateSchema } from '../../../contracts/receipt.ts';
import type { RunsSearch } from '../addresses.ts';
import { askedEvery } from '../api/asked-every.ts';
import { trainersQuery } from '../api/queries.ts';

interface RunsFiltersProps {
  search: RunsSearch;
  onChange: (changes: Partial<RunsSearch>) => void;
}

export function RunsFilters({ search, onChange }: RunsFiltersProps) {
  const trainers = useQuery({ ...trainersQuery(undefined), refetchInterval: askedEvery(false) });
  const names = (trainers.data ?? []).map((one) => (one.ok ? one.manifest.name : one.name));
  const trainerOptions = [...new Set([...names, ...(search.trainer ? [search.trainer] : [])])].sort();
  const isFiltered = [search.state, search.outcome, search.trainer, search.project, search.text].some(Boolean);
  return (
    <Group gap="xs" role="search" aria-label="Filter runs">
      <TypedFilter
        label="Run id starts with"
        value={search.text ?? ''}
        onChange={(text) => onChange({ text: text || undefined })}
      />
      <Select
        aria-label="State"
        placeholder="Any state"
        w={150}
        clearable
        clearButtonProps={{ 'aria-label': 'Any state' }}
        data={runStateSchema.options.map((value) => ({ value, label: value === 'configuring' ? 'draft' : value }))}
        value={search.state ?? null}
        onChange={(value) => onChange({ state: (value as RunState | null) ?? undefined })}
      />
      <Select
        aria-label="Outcome"
        placeholder="Any outcome"
        w={160}
        clearable
        clearButtonProps={{ 'aria-label': 'Any outcome' }}
        data={outcomeSchema.options}
        value={search.outcome ?? null}
        onChange={(value) => onChange({ outcome: (value as Outcome | null) ?? undefined })}
      />
      <Select
        aria-label="Trainer"
        placeholder="Any trainer"
        w={160}
        clearable
        clearButtonProps={{ 'aria-label': 'Any trainer' }}
        data={trainerOptions}
        value={search.trainer ?? null}
        onChange={(value) => onChange({ trainer: value ?? undefined })}
      />
      <TypedFilter
        label="Project"
        value={search.project ?? ''}
        onChange={(project) => onChange({ project: project || undefined })}
      />
      {isFiltered && (
        <Button
          variant="subtle"
          leftSection={<IconX size={16} aria-hidden />}
          onClick={() =>
            onChange({ state: undefined, outcome: undefined, trainer: undefined, project: undefined, text: undefined })
          }
        >
          Clear
        </Button>
      )}
    </Group>
  );
}

/** Filters a little after the last key. */
function TypedFilter({ label, value, onChange }: { label: string; value: string; onChange: (text: string) => void }) {
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  const tell = useDebouncedCallback(onChange, 300);
  return (
    <TextInput
      aria-label={label}
      placeholder={label}
      w={label === 'Project' ? 150 : 200}
      leftSection={label === 'Project' ? undefined : <IconSearch size={16} aria-hidden />}
      value={typed}
      onChange={(event) => {
        // Ids and projects have no other letters, and the server refuses what cannot be one.
        const text = event.currentTarget.value.replace(/[^A-Za-z0-9._-]/g, '');
        setTyped(text);
        tell(text);
      }}
    />
  );
}

/** Inputs that are bound to a field of the configuration, with its problem beside it. */
import { NumberInput, SegmentedControl, Select, Stack, Text, TextInput } from '@mantine/core';
import { runConfigSchema } from '../../../contracts/run-config.ts';
import { plainJson, valueAt } from './plain-json.ts';
import type { WrittenConfig } from './use-config.ts';
import type { Problems } from './use-problems.ts';

export interface StepProps {
  written: WrittenConfig;
  problems: Problems;
  pool: string | undefined;
}

const defaults = plainJson(runConfigSchema.parse({ trainer: 'any', epochs: 1 }));

interface FieldProps extends Pick<StepProps, 'written' | 'problems'> {
  /** `checkpoints.last` */
  field: string;
  label: string;
  description?: string;
  required?: boolean;
}

/** Where there is a default, it is what an empty field shows. */
const defaultText = (path: string[], required?: boolean): string => {
  const value = required ? undefined : valueAt(defaults, path);
  return value === undefined ? '' : String(value);
};

export function TextField({
  written,
  problems,
  field,
  label,
  description,
  required,
  placeholder,
}: FieldProps & { placeholder?: string }) {
  const path = field.split('.');
  const value = valueAt(written.config, path);
  return (
    <TextInput
      label={label}
      description={description ?? null}
      required={required ?? false}
      placeholder={placeholder ?? defaultText(path, required)}
      value={value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value)}
      onChange={(event) => written.set(path, event.currentTarget.value || undefined)}
      error={problems.of(field) ?? null}
      name={field}
    />
  );
}

export function NumberField({
  written,
  problems,
  field,
  label,
  description,
  required,
  suffix,
}: FieldProps & { suffix?: string }) {
  const path = field.split('.');
  const value = valueAt(written.config, path);
  return (
    <NumberInput
      label={label}
      description={description ?? null}
      required={required ?? false}
      placeholder={`${defaultText(path, required)}${suffix ?? ''}`}
      value={typeof value === 'number' || typeof value === 'string' ? value : ''}
      onChange={(typed) => written.set(path, typed === '' ? undefined : typed)}
      error={problems.of(field) ?? null}
      name={field}
      suffix={suffix ?? ''}
    />
  );
}

interface Option {
  value: string;
  label: string;
}

export function SelectField({
  written,
  problems,
  field,
  label,
  description,
  options,
  onChosen,
}: FieldProps & { options: Option[]; onChosen?: (value: string) => void }) {
  const path = field.split('.');
  const value = valueAt(written.config, path);
  return (
    <Select
      label={label}
      description={description ?? null}
      data={options}
      allowDeselect={false}
      value={typeof value === 'string' || typeof value === 'number' ? String(value) : defaultText(path)}
      onChange={(chosen) =>
        onChosen
          ? onChosen(chosen ?? '')
          : written.set(path, chosen === defaultText(path) ? undefined : (chosen ?? undefined))
      }
      error={problems.of(field) ?? null}
      name={field}
    />
  );
}

export function PriorityField({ written, problems }: Pick<StepProps, 'written' | 'problems'>) {
  const value = valueAt(written.config, ['priority']);
  const problem = problems.of('priority');
  return (
    <Stack gap={4}>
      <Text size="sm" fw={600} id="priority-label">
        Priority
      </Text>
      <SegmentedControl
        aria-labelledby="priority-label"
        data={[
          { value: '1', label: 'First' },
          { value: '2', label: 'High' },
          { value: '3', label: 'Normal' },
          { value: '4', label: 'Low' },
          { value: '5', label: 'Last' },
        ]}
        value={String(value ?? 3)}
        onChange={(chosen) => written.set(['priority'], chosen === '3' ? undefined : Number(chosen))}
      />
      {problem && (
        <Text size="xs" c="var(--mantine-color-error)">
          {problem}
        </Text>
      )}
    </Stack>
  );
}

/** What a trainer's form has beside its parameters: the data set, and classes of it. */
import { Alert, MultiSelect, Select, Stack, TagsInput, TextInput, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { DataSetSummary } from '../../../contracts/data-set.ts';
import type { TrainerManifest } from '../../../contracts/trainer-manifest.ts';
import type { UiClassPicker, UiDataPicker } from '../../../contracts/ui.ts';
import { messageOf } from '../api/call.ts';
import { dataSetQuery, dataSetsQuery } from '../api/queries.ts';
import type { StepProps } from './config-fields.tsx';
import { DataSetPreview } from './data-set-preview.tsx';
import { classesToChoose, dataSetsFor, textsIn, writtenChoice } from './form-choices.ts';
import { replaced } from './parameter-groups.ts';
import { type ConfigObject, isMapping, valueAt } from './plain-json.ts';

interface PickerProps extends StepProps {
  manifest: TrainerManifest;
}

const kindsOf = ({ datasets }: TrainerManifest): string[] => datasets.map(({ kind }) => kind);

/** The path that was written, and which of the workers' data sets that is. */
function useChosen({ written, pool, manifest }: PickerProps) {
  const { data, error } = useQuery(dataSetsQuery(pool));
  const value = valueAt(written.config, ['data']);
  const path = typeof value === 'string' ? value : '';
  const offered = dataSetsFor(kindsOf(manifest), data?.dataSets ?? []);
  return { path, offered, chosen: offered.find((one) => one.data === path), error };
}

export function DataPicker(props: PickerProps & { leaf: UiDataPicker }) {
  const { leaf, written, problems } = props;
  const { path, offered, chosen, error } = useChosen(props);
  return (
    <Stack gap="xs">
      {leaf.title && (
        <Title order={3} size="h5">
          {leaf.title}
        </Title>
      )}
      {error && <Alert color="orange">Data sets could not be listed: {messageOf(error)}</Alert>}
      <Select
        label="On the workers"
        placeholder={offered.length > 0 ? 'Choose a data set' : 'The workers offer none'}
        searchable
        clearable
        clearButtonProps={{ 'aria-label': 'No data set' }}
        data={offered.map((one) => ({ value: one.data, label: `${one.name} (${one.kind}, on ${one.host})` }))}
        value={chosen?.data ?? null}
        onChange={(next) => written.set(['data'], next ?? undefined)}
      />
      <TextInput
        label="Or enter a path on the worker"
        placeholder="/data/my-images"
        value={path}
        onChange={(event) => written.set(['data'], event.currentTarget.value || undefined)}
        error={problems.of('data') ?? null}
      />
      {chosen && <DataSetPreview key={chosen.id} host={chosen.host} id={chosen.id} />}
    </Stack>
  );
}

export function ClassPicker(props: PickerProps & { leaf: UiClassPicker; parameters: ConfigObject }) {
  const { leaf, written, problems, manifest, parameters } = props;
  const { chosen } = useChosen(props);
  const property = valueAt(manifest.parameters, ['properties', leaf.name]);
  const { title, description, default: standard } = isMapping(property) ? property : ({} as ConfigObject);
  const value = textsIn(Object.hasOwn(parameters, leaf.name) ? parameters[leaf.name] : standard);
  const shared = {
    label: leaf.title || (typeof title === 'string' ? title : leaf.name),
    description: typeof description === 'string' ? description : null,
    error: problems.of(`parameters.${leaf.name}`) ?? null,
    value,
    onChange: (next: string[]) =>
      written.set(['parameters'], replaced(parameters, [leaf.name], writtenChoice(leaf.name, next, standard))),
  };
  if (!chosen) return <TagsInput {...shared} placeholder="Class names: no data set of the workers is chosen" />;
  return <ClassesOf dataSet={chosen} {...shared} />;
}

type Shared = Pick<Parameters<typeof MultiSelect>[0], 'label' | 'description' | 'error'> & {
  value: string[];
  onChange: (next: string[]) => void;
};

function ClassesOf({ dataSet, value, ...shared }: Shared & { dataSet: DataSetSummary }) {
  const { data } = useQuery(dataSetQuery(dataSet.host, dataSet.id));
  return (
    <MultiSelect
      {...shared}
      value={value}
      data={classesToChoose(data?.classes ?? [], value)}
      searchable
      clearable
      clearButtonProps={{ 'aria-label': 'No class' }}
    />
  );
}

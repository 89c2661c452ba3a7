import { Input, Stack, Text, Title } from '@mantine/core';
import { withTheme } from '@rjsf/core';
import { generateTheme } from '@rjsf/mantine';
import type { ErrorSchema, FieldErrorProps, FormContextType, RJSFSchema } from '@rjsf/utils';
import { useMemo } from 'react';
import type { TrainerManifest } from '../../../contracts/trainer-manifest.ts';
import { isField, readLayout, type UiField, type UiFields, type UiLeaf } from '../../../contracts/ui.ts';
import { LayoutView } from '../pages/layout-view.tsx';
import { AlertView, MarkdownView, TextView } from '../pages/word-widgets.tsx';
import type { StepProps } from './config-fields.tsx';
import { fieldKeys } from './config-yaml.ts';
import { ClassPicker, DataPicker } from './form-pickers.tsx';
import { jsonSchemaValidator } from './json-schema-validator.ts';
import { isMet, picked, replaced, schemaOf, wholeForm } from './parameter-groups.ts';
import { type ConfigObject, isMapping, isSame, plainJson } from './plain-json.ts';

type Data = Record<string, unknown>;

const Form = withTheme<Data, RJSFSchema, FormContextType>(generateTheme<Data, RJSFSchema, FormContextType>());

/** Inputs of text and numbers show their problem themselves: a second time would be read out twice. */
function FieldErrors({ errors = [], schema }: FieldErrorProps<Data, RJSFSchema, FormContextType>) {
  const isShown = schema.type === 'string' || schema.type === 'number' || schema.type === 'integer';
  if (isShown || errors.length === 0) return null;
  return errors.map((error) => <Input.Error key={String(error)}>{error}</Input.Error>);
}

const templates = { FieldErrorTemplate: FieldErrors };

const uiSchema = { 'ui:submitButtonOptions': { norender: true } };

/** A form made from what the trainer says of its parameters. */
export function StepParameters(props: StepProps & { manifest: TrainerManifest | undefined }) {
  const { written, problems, manifest } = props;
  const form = useMemo(() => (manifest ? formOf(manifest) : null), [manifest]);
  const extraErrors = useMemo(() => errorTree(problems.all), [problems.all]);
  if (!manifest || !form)
    return (
      <Stack>
        <Title order={2} size="h4">
          Parameters
        </Title>
        <Text c="dimmed">Choose a trainer first: it says which parameters there are.</Text>
      </Stack>
    );
  const parameters: ConfigObject = isMapping(written.config.parameters) ? written.config.parameters : {};
  const field = (leaf: UiField) => {
    if (leaf.kind === 'fields') return group(leaf);
    const shared = { ...props, manifest };
    if (leaf.kind === 'dataPicker') return <DataPicker {...shared} leaf={leaf} />;
    if (!(problems.of(`parameters.${leaf.name}`) || isMet(leaf.when, parameters, form.schema))) return null;
    return <ClassPicker {...shared} leaf={leaf} parameters={parameters} />;
  };
  const group = ({ title, names, when }: UiFields) => {
    const isWrong = names.some((name) => problems.of(`parameters.${name}`));
    // What is wrong can be put right only where it is shown.
    if (names.length === 0 || !(isWrong || isMet(when, parameters, form.schema))) return null;
    return (
      <Stack gap="xs">
        {title && (
          <Title order={3} size="h5">
            {title}
          </Title>
        )}
        <Form
          schema={form.schemaOf(names)}
          uiSchema={uiSchema}
          templates={templates}
          validator={jsonSchemaValidator}
          formData={picked(parameters, names)}
          extraErrors={extraErrors}
          noHtml5Validate
          showErrorList={false}
          tagName="div"
          idPrefix="parameters"
          onChange={({ formData }) => {
            const after = replaced(parameters, names, plainJson(formData ?? {}));
            if (!isSame(after, parameters)) written.set(['parameters'], after);
          }}
        />
      </Stack>
    );
  };
  return (
    <Stack>
      <Title order={2} size="h4">
        Parameters of {manifest.title}
      </Title>
      <LayoutView node={form.node} draw={(leaf) => (isField(leaf) ? field(leaf) : <Words leaf={leaf} />)} />
      {problems.of('parameters') && problems.all.some(({ field }) => field === 'parameters') && (
        <Text size="sm" c="var(--mantine-color-error)">
          {problems.of('parameters')}
        </Text>
      )}
    </Stack>
  );
}

/** What is to be read between the parameters. */
function Words({ leaf }: { leaf: UiLeaf }) {
  switch (leaf.kind) {
    case 'text':
      return <TextView text={leaf.text} />;
    case 'markdown':
      return <MarkdownView text={leaf.text} />;
    case 'alert':
      return <AlertView text={leaf.text} color={leaf.color} title={leaf.title} />;
    default:
      // What shows values has none before a run.
      return null;
  }
}

function formOf(manifest: TrainerManifest) {
  const schema = shownSchema(manifest);
  // The same object for the same group: what was made of it is remembered by it.
  const made = new WeakMap<readonly string[], RJSFSchema>();
  return {
    schema,
    node: wholeForm(manifest.form ? readLayout(manifest.form) : null, schema),
    schemaOf: (names: readonly string[]): RJSFSchema => {
      const known = made.get(names) ?? (schemaOf(schema, names) as RJSFSchema);
      made.set(names, known);
      return known;
    },
  };
}

/** Without the title of the whole, which is the Python class's; units stand behind the names. */
function shownSchema({ parameters }: TrainerManifest): RJSFSchema {
  const { title: _title, description: _description, ...schema } = parameters;
  const properties = isMapping(schema.properties) ? schema.properties : {};
  const shown = Object.fromEntries(
    Object.entries(properties).map(([name, property]) => {
      if (!isMapping(property)) return [name, property];
      const title = typeof property.title === 'string' ? property.title : name;
      return [
        name,
        typeof property.unit === 'string' ? { ...property, title: `${title} (${property.unit})` } : property,
      ];
    }),
  );
  return { ...schema, properties: shown } as RJSFSchema;
}

/** Problems of `parameters.…`, as the tree in which the form looks for them. */
function errorTree(all: StepProps['problems']['all']): ErrorSchema<Data> {
  const root: Record<string, unknown> = {};
  for (const { field, message } of all) {
    const [first, ...keys] = fieldKeys(field);
    if (first !== 'parameters' || keys.length === 0) continue;
    let at = root;
    for (const key of keys) {
      const inner = at[key];
      const next = isErrorNode(inner) ? inner : {};
      at[key] = next;
      at = next;
    }
    at.__errors = [message];
  }
  return root as ErrorSchema<Data>;
}

const isErrorNode = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Which parameters the form of a new run shows where: as the trainer's own form says, and below it those that are not in it. */
import type { UiFields, UiNode } from '../../../contracts/ui.ts';
import { isMapping, isSame, type Json } from './plain-json.ts';

type Schema = Record<string, unknown>;

/** The form with all that it leaves out in a last group; without one, all in one group. */
export function wholeForm(form: UiNode | null, schema: Schema): UiNode {
  const all = Object.keys(propertiesOf(schema));
  const placed = new Set(form ? namesIn(form) : []);
  const rest: UiFields = { kind: 'fields', title: '', names: all.filter((name) => !placed.has(name)), when: {} };
  if (!form) return rest;
  const more = rest.names.length > 0 ? [{ ...rest, title: 'Other parameters' }] : [];
  return { kind: 'container', columns: 1, children: [form, ...more] };
}

/** A form of these parameters alone. */
export function schemaOf(schema: Schema, names: readonly string[]): Schema {
  const properties = propertiesOf(schema);
  const required = Array.isArray(schema.required) ? schema.required : [];
  return {
    ...schema,
    properties: Object.fromEntries(names.flatMap((name) => (name in properties ? [[name, properties[name]]] : []))),
    required: required.filter((name) => names.includes(name)),
  };
}

/** Those of `names` that there are. */
export const picked = (values: Readonly<Record<string, Json>>, names: readonly string[]): Record<string, Json> =>
  Object.fromEntries(names.flatMap((name) => (Object.hasOwn(values, name) ? [[name, values[name] as Json]] : [])));

/** `values` with those of `names` as they are in `after`, each in its place; one that is not there any more goes. */
export function replaced(
  values: Readonly<Record<string, Json>>,
  names: readonly string[],
  after: Readonly<Record<string, Json>>,
): Record<string, Json> {
  const kept = Object.entries(values).filter(([name]) => !names.includes(name) || Object.hasOwn(after, name));
  return { ...Object.fromEntries(kept), ...picked(after, names) };
}

/** Whether each parameter of the condition has one of its values; one that is not written has its default. */
export function isMet(when: UiFields['when'], values: Readonly<Record<string, Json>>, schema: Schema): boolean {
  const properties = propertiesOf(schema);
  return Object.entries(when).every(([name, allowed]) => {
    const property = properties[name];
    const standard = isMapping(property) ? property.default : undefined;
    const value = Object.hasOwn(values, name) ? values[name] : standard;
    return allowed.some((one) => isSame(one, value));
  });
}

const propertiesOf = ({ properties }: Schema): Record<string, unknown> => (isMapping(properties) ? properties : {});

function namesIn(node: UiNode): string[] {
  if (node.kind === 'fields') return node.names;
  if (node.kind === 'classPicker') return [node.name];
  if (node.kind === 'tabs') return node.tabs.flatMap(({ children }) => children.flatMap(namesIn));
  return 'children' in node ? node.children.flatMap(namesIn) : [];
}

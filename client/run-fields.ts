/**
 * Fields by which runs are listed, searched and sorted: what the server lists of every run, its configuration, its parameters
 * and the metrics of its last epoch. Pure.
 *
 * `lr0` is a parameter or a metric of that name; where there are both, `parameters.lr0` or `metrics.lr0` says which.
 */
import { shownValue } from '../contracts/config-problems.ts';
import type { RunView } from '../contracts/run-messages.ts';
import type { SearchedRun, SearchValue } from '../contracts/run-search.ts';
import { timeFields } from '../contracts/run-search.ts';
import type { RunSummary } from '../contracts/run-summary.ts';
import { ConfigError } from './errors.ts';

/** A run as it is listed; `view` is null where nobody has asked it, or it did not answer. */
export interface ListedRun {
  summary: RunSummary;
  view: RunView | null;
}

/** Null: the run has none. */
export type FieldValue = SearchValue | null;

const ofSummary: Readonly<Record<string, (summary: RunSummary) => FieldValue>> = {
  run: ({ run }) => run,
  state: ({ standing }) => standing,
  trainer: ({ trainer }) => trainer,
  project: ({ project }) => project,
  best: ({ bestMetric }) => bestMetric,
  created: ({ createdAt }) => createdAt,
  started: ({ startedAt }) => startedAt,
  ended: ({ closedAt }) => closedAt,
  outcome: ({ outcome }) => outcome,
};
const ofView: Readonly<Record<string, (view: RunView) => unknown>> = {
  trained: ({ position }) => position.epoch,
  epochs: ({ config }) => config.epochs,
  seed: ({ config }) => config.seed,
  data: ({ config }) => config.data,
  pool: ({ config }) => config.pool,
  priority: ({ config }) => config.priority,
  host: ({ session }) => session?.host,
  'best.metric': ({ best }) => best?.metric,
};

/** Fields that every run has. */
export const knownFields: readonly string[] = [...Object.keys(ofSummary), ...Object.keys(ofView)];
export const isTime = (field: string): boolean => timeFields.includes(field);

/** Whether the run itself has to be asked; the server lists the rest. */
export const needsView = (field: string): boolean => !Object.hasOwn(ofSummary, field);

const parameterPrefix = 'parameters.';
const metricPrefix = 'metrics.';

/**
 * The one field that a name means. `has`: whether any of the runs in question has the field.
 * Throws ConfigError for a name that means two, and, where all is known of some run, for one that no run knows.
 */
export function resolveField(field: string, has: (field: string) => boolean, isKnown = true): string {
  if (knownFields.includes(field) || field.startsWith(parameterPrefix) || field.startsWith(metricPrefix)) return field;
  const meant = [parameterPrefix + field, metricPrefix + field].filter(has);
  const [first, second] = meant;
  if (first === undefined && isKnown)
    throw new ConfigError([], {
      message: `field is ${shownValue(field)}: none of these runs has such a parameter or metric; every run has ${knownFields.join(', ')}`,
    });
  if (second !== undefined)
    throw new ConfigError([], {
      message: `field is ${shownValue(field)}: must be ${meant.join(' or ')}, for there are both`,
    });
  return first ?? parameterPrefix + field;
}

/** `field`: of `resolveField`. */
export function fieldOf({ summary, view }: ListedRun, field: string): FieldValue {
  if (Object.hasOwn(ofSummary, field)) return ofSummary[field]?.(summary) ?? null;
  if (view === null) return null;
  if (Object.hasOwn(ofView, field)) return shown(ofView[field]?.(view));
  if (field.startsWith(metricPrefix)) return shown(own(view.metrics, field.slice(metricPrefix.length)));
  return shown(inside(view.config.parameters, field.slice(parameterPrefix.length)));
}

/** All that a search compares: a run is `stopped` and `completed` at once. */
export function valuesOf(run: ListedRun, field: string): SearchValue[] {
  const values = field === 'state' ? [run.summary.standing, run.summary.state] : [fieldOf(run, field)];
  return [...new Set(values.filter((value) => value !== null))];
}

export const searchedRun = (run: ListedRun): SearchedRun => ({
  values: (field) => valuesOf(run, field),
  text: textOf(run),
});

/** What the words of a search are looked for in, in lower case. */
export function textOf({ summary, view }: ListedRun): string {
  const named = [summary.run, summary.trainer, summary.project, view?.config.data];
  const parameters = Object.entries(view?.config.parameters ?? {}).map(([name, value]) => `${name} ${shown(value)}`);
  // What is searched for has no line break, so that nothing is found across two of them.
  return [...named, ...parameters]
    .filter((text) => text)
    .join('\n')
    .toLowerCase();
}

/** Names of the parameters, also those inside of others, and of the metrics: as `fieldOf` takes them. */
export function fieldsOf({ view }: ListedRun): string[] {
  if (view === null) return [];
  return [
    ...leaves(view.config.parameters ?? {}).map((name) => parameterPrefix + name),
    ...Object.keys(view.metrics).map((name) => metricPrefix + name),
  ];
}

const leaves = (values: object): string[] =>
  Object.entries(values).flatMap(([name, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? leaves(value).map((inner) => `${name}.${inner}`)
      : [name],
  );

/** A parameter may have a dot in its name, and may be inside of another one. */
function inside(value: unknown, path: string): unknown {
  const direct = own(value, path);
  if (direct !== undefined) return direct;
  for (let dot = path.indexOf('.'); dot > 0; dot = path.indexOf('.', dot + 1)) {
    const found = inside(own(value, path.slice(0, dot)), path.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

const own = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined;

function shown(value: unknown): FieldValue {
  if (value === undefined || value === null) return null;
  return typeof value === 'number' || typeof value === 'string' ? value : JSON.stringify(value);
}

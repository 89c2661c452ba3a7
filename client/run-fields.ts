/**
 * Fields by which runs are listed, searched and sorted: what the server lists of every run, its configuration, its parameters
 * and the metrics of its last epoch. Pure.
 *
 * `lr0` is a parameter or a metric of that name; where there are both, `parameters.lr0` or `metrics.lr0` says which.
 */
import { shownValue } from '../contracts/config-problems.ts';
import type { RunView } from '../contracts/run-messages.ts';
import type { RunSummary } from '../contracts/run-summary.ts';
import { ConfigError } from './errors.ts';

/** A run as it is listed; `view` is null where nobody has asked it, or it did not answer. */
export interface ListedRun {
  summary: RunSummary;
  view: RunView | null;
}

/** Null: the run has none. */
export type FieldValue = string | number | null;

const ofSummary: Readonly<Record<string, (summary: RunSummary) => FieldValue>> = {
  run: ({ run }) => run,
  state: ({ standing }) => standing,
  trainer: ({ trainer }) => trainer,
  project: ({ project }) => project,
  best: ({ bestMetric }) => bestMetric,
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
};

/** Fields that every run has. */
export const knownFields: readonly string[] = [...Object.keys(ofSummary), ...Object.keys(ofView)];
export const isTime = (field: string): boolean => field === 'started' || field === 'ended';

/** Whether the run itself has to be asked; the server lists the rest. */
export const needsView = (field: string): boolean => !Object.hasOwn(ofSummary, field);

const parameterPrefix = 'parameters.';
const metricPrefix = 'metrics.';

/** The fields under names that mean one thing. Throws ConfigError for a name that means two, or that no run knows. */
export function resolveField(field: string, runs: readonly ListedRun[]): string {
  if (knownFields.includes(field) || field.startsWith(parameterPrefix) || field.startsWith(metricPrefix)) return field;
  const meant = [parameterPrefix + field, metricPrefix + field].filter((name) =>
    runs.some((run) => fieldOf(run, name) !== null),
  );
  const [first, second] = meant;
  if (first === undefined && runs.some(({ view }) => view !== null))
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

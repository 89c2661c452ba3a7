/** Questions to the server's visibility about runs and their salvages, and the search attributes that runs start with. */

import type { Outcome, RunState } from '../contracts/receipt.ts';
import { trainingRunType } from '../contracts/run-messages.ts';
import { salvageId, salvageType } from '../contracts/salvage-messages.ts';
import { attributes } from '../contracts/search-attributes.ts';
import type { RunFilter } from './run-filter.ts';

export interface PageFilter extends Omit<RunFilter, 'limit'> {
  /** Runs whose id begins with this: a run id has no character that a query would need quoted. */
  text?: string | undefined;
  /** Those that are open, or closed after this; of salvages, those that closed after it. An instant. */
  changedSince?: string | undefined;
}

export function visibilityQuery({ state, trainer, project, outcome, text, changedSince }: PageFilter): string {
  const conditions = [
    `WorkflowType = ${quoted(trainingRunType)}`,
    // A long run is one execution after the other.
    `ExecutionStatus != 'ContinuedAsNew'`,
  ];
  // A run that was ended by force keeps the state that it had; one that has landed may have its observers still to tell.
  if (state === 'stopped') conditions.push(`(ExecutionStatus != 'Running' OR ${attributes.state.name} = 'stopped')`);
  else if (state !== undefined)
    conditions.push(`${attributes.state.name} = ${quoted(state)}`, `ExecutionStatus = 'Running'`);
  conditions.push(...shared({ trainer, project }));
  if (outcome !== undefined) conditions.push(ofOutcome(outcome));
  if (text) conditions.push(`WorkflowId STARTS_WITH ${quoted(text)}`);
  if (changedSince) conditions.push(`(ExecutionStatus = 'Running' OR CloseTime > ${quoted(changedSince)})`);
  return conditions.join(' AND ');
}

/** What runs that were ended by force came to is known to their salvages alone. */
export const isOfSalvages = (outcome: Outcome | undefined): outcome is 'salvaged' | 'lost' =>
  outcome === 'salvaged' || outcome === 'lost';

/** The salvages that came to it; their runs are then asked for by their ids. */
export function salvagesQuery({ trainer, project, outcome, text, changedSince }: PageFilter): string {
  return [
    `WorkflowType = ${quoted(salvageType)}`,
    `${attributes.outcome.name} = ${quoted(outcome ?? 'salvaged')}`,
    ...shared({ trainer, project }),
    ...(text ? [`WorkflowId STARTS_WITH ${quoted(salvageId(text))}`] : []),
    ...(changedSince ? [`CloseTime > ${quoted(changedSince)}`] : []),
  ].join(' AND ');
}

export const runsQuery = (runs: readonly string[]): string =>
  `WorkflowType = ${quoted(trainingRunType)} AND ExecutionStatus != 'ContinuedAsNew' AND ${oneOf(runs)}`;

export const salvagesOfQuery = (places: readonly string[]): string =>
  `WorkflowType = ${quoted(salvageType)} AND ${oneOf(places.map(salvageId))}`;

const oneOf = (ids: readonly string[]): string => `WorkflowId IN (${ids.map(quoted).join(', ')})`;

function shared({ trainer, project }: Pick<PageFilter, 'trainer' | 'project'>): string[] {
  return [
    ...(trainer === undefined ? [] : [`${attributes.trainer.name} = ${quoted(trainer)}`]),
    ...(project === undefined ? [] : [`${attributes.project.name} = ${quoted(project)}`]),
  ];
}

/** As `outcomeOf` has it (contracts/run-summary.ts), apart from what only a salvage knows. */
function ofOutcome(outcome: Outcome): string {
  const told = `${attributes.outcome.name} = ${quoted(outcome)}`;
  if (outcome === 'failed') return `(${told} OR (ExecutionStatus = 'Failed' AND ${attributes.outcome.name} IS NULL))`;
  if (outcome !== 'stopped') return told;
  const neverTrained = `ExecutionStatus != 'Running' AND ExecutionStatus != 'Failed' AND ${attributes.outcome.name} IS NULL AND (${attributes.state.name} = 'configuring' OR ${attributes.state.name} IS NULL)`;
  return `(${told} OR (${neverTrained}))`;
}

const quoted = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** So that a run is found before a worker has seen it. */
export const firstAttributes = (isDraft: boolean, trainer: string | undefined, project: string | undefined) => [
  { key: attributes.state, value: 'configuring' satisfies RunState },
  { key: attributes.detail, value: isDraft ? 'configuring.draft' : 'configuring.validating' },
  ...(trainer === undefined ? [] : [{ key: attributes.trainer, value: trainer }]),
  { key: attributes.project, value: project ?? 'default' },
];

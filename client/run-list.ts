/** Runs as the server's visibility lists them: quick, without asking a worker, a moment behind. */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { outcomeSchema, type RunState, runStateSchema } from '../contracts/receipt.ts';
import { trainingRunType } from '../contracts/run-messages.ts';
import type { Calls } from './calls.ts';
import { parsed } from './parse-config.ts';
import { type RunFilter, type RunSummary, runFilterSchema } from './run-filter.ts';
import { salvagedOutcome } from './salvaged.ts';
import { typedError } from './temporal-errors.ts';

const keys = {
  state: defineSearchAttributeKey('EpochalState', SearchAttributeType.KEYWORD),
  trainer: defineSearchAttributeKey('EpochalTrainer', SearchAttributeType.KEYWORD),
  project: defineSearchAttributeKey('EpochalProject', SearchAttributeType.KEYWORD),
  outcome: defineSearchAttributeKey('EpochalOutcome', SearchAttributeType.KEYWORD),
  bestMetric: defineSearchAttributeKey('EpochalBestMetric', SearchAttributeType.DOUBLE),
};

/** Newest first. Throws ConfigError for a filter that is none, and the errors of the server. */
export async function* listRuns(calls: Calls, filter: RunFilter = {}): AsyncGenerator<RunSummary> {
  const { limit = Number.POSITIVE_INFINITY, ...wanted } = parsed(runFilterSchema, filter);
  let listed = 0;
  try {
    for await (const execution of calls.client.workflow.list({ query: visibilityQuery(wanted) })) {
      const summary = summaryOf(execution);
      if (isForced(execution)) summary.outcome = await salvagedOutcome(calls, summary.run);
      if (wanted.outcome !== undefined && summary.outcome !== wanted.outcome) continue;
      if (listed++ >= limit) return;
      yield summary;
    }
  } catch (error) {
    throw typedError(error, calls.server, null);
  }
}

export function visibilityQuery({ state, trainer, project, outcome }: Omit<RunFilter, 'limit'>): string {
  const conditions = [
    `WorkflowType = ${quoted(trainingRunType)}`,
    // A long run is one execution after the other.
    `ExecutionStatus != 'ContinuedAsNew'`,
  ];
  // A run that was ended by force keeps the state that it had.
  if (state === 'stopped') conditions.push(`ExecutionStatus != 'Running'`);
  else if (state !== undefined) conditions.push(`EpochalState = ${quoted(state)}`, `ExecutionStatus = 'Running'`);
  if (trainer !== undefined) conditions.push(`EpochalTrainer = ${quoted(trainer)}`);
  if (project !== undefined) conditions.push(`EpochalProject = ${quoted(project)}`);
  // What a run was ended by force came to is known to its salvage alone.
  if (outcome === 'lost' || outcome === 'salvaged')
    conditions.push(`(ExecutionStatus = 'Terminated' OR ExecutionStatus = 'TimedOut')`);
  else if (outcome !== undefined) conditions.push(`EpochalOutcome = ${quoted(outcome)}`);
  return conditions.join(' AND ');
}

const quoted = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function summaryOf({
  workflowId,
  status,
  startTime,
  closeTime,
  typedSearchAttributes: attributes,
}: WorkflowExecutionInfo): RunSummary {
  const isOver = status.name !== 'RUNNING';
  return {
    run: workflowId,
    state: isOver ? 'stopped' : (runStateSchema.safeParse(attributes.get(keys.state)).data ?? 'configuring'),
    trainer: attributes.get(keys.trainer) ?? null,
    project: attributes.get(keys.project) ?? null,
    outcome: outcomeSchema.safeParse(attributes.get(keys.outcome)).data ?? null,
    bestMetric: attributes.get(keys.bestMetric) ?? null,
    startedAt: startTime.toISOString(),
    endedAt: closeTime?.toISOString() ?? null,
  };
}

const isForced = ({ status }: WorkflowExecutionInfo): boolean =>
  status.name === 'TERMINATED' || status.name === 'TIMED_OUT';

/** The search attributes that a run starts with, so that it is found before a worker has seen it. */
export const firstAttributes = (trainer: string | undefined, project: string | undefined) => [
  { key: keys.state, value: 'configuring' satisfies RunState },
  ...(trainer === undefined ? [] : [{ key: keys.trainer, value: trainer }]),
  { key: keys.project, value: project ?? 'default' },
];

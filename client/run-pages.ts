/** Runs as visibility lists them, a page at a time, for tables of any length. No worker is asked. */
import type { temporal } from '@temporalio/proto';
import { z } from 'zod';
import type { LiveProgress, RunSummary } from '../contracts/http-api.ts';
import { outcomeSchema, runStateSchema } from '../contracts/receipt.ts';
import { trainingRunType } from '../contracts/run-messages.ts';
import type { Calls } from './calls.ts';
import { RunNotFoundError } from './errors.ts';
import { liveProgress, type LiveProgress as ReportedProgress } from './live-progress.ts';
import type { RunFilter } from './run-filter.ts';
import { visibilityQuery } from './run-list.ts';

export interface PageFilter extends Omit<RunFilter, 'limit'> {
  /** Runs whose id begins with this: a run id has no character that a query would need quoted. */
  text?: string | undefined;
}

export interface PageOfRuns {
  runs: RunSummary[];
  /** For the next page; null at the end. */
  next: string | null;
}

const callSeconds = 10;
const largestServerPage = 1_000;

/** Open runs first, then by when they closed, newest first: the server's own order. */
export async function pageOfRuns(
  calls: Calls,
  filter: PageFilter,
  limit: number,
  cursor: string | null,
): Promise<PageOfRuns> {
  const { client } = calls;
  const answer = await calls.within(callSeconds, null, () =>
    client.connection.workflowService.listWorkflowExecutions({
      namespace: client.options.namespace,
      query: pageQuery(filter),
      pageSize: Math.min(limit, largestServerPage),
      ...(cursor === null ? {} : { nextPageToken: Buffer.from(cursor, 'base64url') }),
    }),
  );
  const token = answer.nextPageToken;
  return {
    runs: (answer.executions ?? []).flatMap((execution) => summaryOf(execution) ?? []),
    next: token && token.length > 0 ? Buffer.from(token).toString('base64url') : null,
  };
}

export async function countRuns(calls: Calls, filter: PageFilter): Promise<number> {
  const { client } = calls;
  const { count } = await calls.within(callSeconds, null, () => client.workflow.count(pageQuery(filter)));
  return count;
}

/** One run, whatever its age, and what is being done for it now. Throws RunNotFoundError. */
export async function describeRun(
  calls: Calls,
  run: string,
): Promise<{ summary: RunSummary; progress: LiveProgress[] }> {
  const description = await calls.within(callSeconds, run, () => calls.client.workflow.getHandle(run).describe());
  const info = description.raw.workflowExecutionInfo;
  const summary = info ? summaryOf(info) : null;
  if (summary === null || info?.type?.name !== trainingRunType) throw new RunNotFoundError(run);
  return { summary, progress: liveProgress(description).map(shownProgress) };
}

/** As the HTTP API tells it. */
export function shownProgress(live: ReportedProgress): LiveProgress {
  if (live.kind === 'progress') return { kind: 'training', ...live.progress };
  return { kind: 'work', activity: live.activity, ...live.work, at: new Date().toISOString() };
}

const pageQuery = ({ text, ...filter }: PageFilter): string =>
  text ? `${visibilityQuery(filter)} AND WorkflowId STARTS_WITH '${text}'` : visibilityQuery(filter);

type Execution = temporal.api.workflow.v1.IWorkflowExecutionInfo;

const statuses: readonly RunSummary['workflowStatus'][] = [
  'unknown',
  'running',
  'completed',
  'failed',
  'cancelled',
  'terminated',
  'continuedAsNew',
  'timedOut',
];

function summaryOf({ execution, status, startTime, closeTime, searchAttributes }: Execution): RunSummary | null {
  const run = execution?.workflowId;
  const startedAt = instantOf(startTime);
  if (!run || startedAt === null) return null;
  const workflowStatus = statuses[Number(status ?? 0)] ?? 'unknown';
  const attribute = (key: string): unknown => {
    const data = searchAttributes?.indexedFields?.[key]?.data;
    return data && data.length > 0 ? JSON.parse(Buffer.from(data).toString('utf8')) : undefined;
  };
  const text = (key: string) => z.string().safeParse(attribute(key)).data ?? null;
  const isOver = workflowStatus !== 'running';
  const isForced = workflowStatus === 'terminated' || workflowStatus === 'timedOut';
  return {
    run,
    // A run that was ended by force keeps the attributes that it had.
    state: isOver ? 'stopped' : (runStateSchema.safeParse(attribute('EpochalState')).data ?? null),
    outcome: outcomeSchema.safeParse(attribute('EpochalOutcome')).data ?? (isForced ? 'lost' : null),
    trainer: text('EpochalTrainer'),
    project: text('EpochalProject'),
    bestMetric: z.number().safeParse(attribute('EpochalBestMetric')).data ?? null,
    startedAt,
    closedAt: instantOf(closeTime),
    workflowStatus,
  };
}

type Instant = Execution['startTime'];

function instantOf(time: Instant): string | null {
  if (!time) return null;
  const milliseconds = Number(time.seconds ?? 0) * 1000 + Math.floor((time.nanos ?? 0) / 1_000_000);
  return milliseconds > 0 ? new Date(milliseconds).toISOString() : null;
}

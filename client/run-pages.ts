/** Runs as visibility lists them, a page at a time, for tables of any length. No worker is asked. */

import { z } from 'zod';
import type { LiveProgress } from '../contracts/http-answers.ts';
import { outcomeSchema, runStateSchema } from '../contracts/receipt.ts';
import { trainingRunType } from '../contracts/run-messages.ts';
import {
  mayHaveSalvage,
  outcomeOf,
  type RunFacts,
  type RunSummary,
  type SalvageFacts,
  standingOf,
  stateOf,
  type WorkflowStatus,
} from '../contracts/run-summary.ts';
import { placeOfSalvage, runOfSalvage } from '../contracts/salvage-messages.ts';
import { attributes } from '../contracts/search-attributes.ts';
import type { Calls } from './calls.ts';
import { RunNotFoundError } from './errors.ts';
import { liveProgress, type LiveProgress as ReportedProgress } from './live-progress.ts';
import type { ProgressLease } from './progress-lease.ts';
import {
  attributeOf,
  callSeconds,
  type Execution,
  list,
  newestFirst,
  newestLives,
  placeOfExecution,
  textOf,
} from './run-executions.ts';
import {
  isOfSalvages,
  type PageFilter,
  runsQuery,
  salvagesOfQuery,
  salvagesQuery,
  visibilityQuery,
} from './run-query.ts';
import { type Waiting, waitingOf } from './run-queue.ts';
import { describeSalvage, placeIn } from './salvaged.ts';

export type { PageFilter } from './run-query.ts';

export interface PageOfRuns {
  runs: RunSummary[];
  /** For the next page; null at the end. */
  next: string | null;
}

const largestServerPage = 1_000;
/** Ids in one query: the server limits its length. */
const idsAtOnce = 200;

/** Open runs first, then by when they closed, newest first: the server's own order. */
export async function pageOfRuns(
  calls: Calls,
  filter: PageFilter,
  limit: number,
  cursor: string | null,
): Promise<PageOfRuns> {
  const { outcome, state = 'stopped' } = filter;
  const ofSalvages = isOfSalvages(outcome);
  if (outcome !== undefined && state !== 'stopped') return { runs: [], next: null };
  const query = ofSalvages ? salvagesQuery(filter) : visibilityQuery(filter);
  const { executions, next } = await list(calls, query, Math.min(limit, largestServerPage), cursor);
  const found = ofSalvages ? await runsSalvagedBy(calls, executions) : newestLives(executions);
  const salvages = await salvagesOf(calls, found);
  const runs = found.flatMap((one) => summaryOf(one, salvages.get(placeOfExecution(one)) ?? null) ?? []);
  return { runs: outcome === undefined ? runs : runs.filter((run) => run.outcome === outcome), next };
}

/** Null where only a look at each of them could tell. */
export async function countRuns(calls: Calls, filter: PageFilter): Promise<number | null> {
  // A run that was salvaged twice, or failed and was salvaged later, would be counted wrongly.
  if (isOfSalvages(filter.outcome) || filter.outcome === 'failed') return null;
  const { client } = calls;
  const { count } = await calls.within(callSeconds, null, () => client.workflow.count(visibilityQuery(filter)));
  return count;
}

/** One run, whatever its age, and what is being done for it now; with `lease` it is watched. Throws RunNotFoundError. */
export async function describeRun(
  calls: Calls,
  run: string,
  lease?: ProgressLease,
): Promise<{ summary: RunSummary; progress: LiveProgress[]; waiting: Waiting | null }> {
  const { client } = calls;
  const description = await calls.within(callSeconds, run, () => client.workflow.getHandle(run).describe());
  const info = description.raw.workflowExecutionInfo;
  if (!info || info.type?.name !== trainingRunType) throw new RunNotFoundError(run);
  const salvage = mayHaveSalvage(factsOf(info)) ? await describeSalvage(calls, placeIn(description, run)) : null;
  const isTakenUp = !(description.raw.pendingActivities ?? []).some(
    ({ activityType, state }) => activityType?.name === 'openSession' && state === scheduled,
  );
  const summary = summaryOf(info, salvage, isTakenUp);
  if (summary === null) throw new RunNotFoundError(run);
  const waiting = summary.standing === 'waiting' ? waitingOf(textOf(info, attributes.queue)) : null;
  const live = await liveProgress(client, description);
  lease?.keep(description, live);
  return { summary, progress: live.map(shownProgress), waiting };
}

/** `temporal.api.enums.v1.PendingActivityState`. */
const scheduled = 1;

/** As the HTTP API tells it. */
export function shownProgress(live: ReportedProgress): LiveProgress {
  if (live.kind === 'progress') {
    const { watchedUntil: _, ...shown } = live.progress;
    return { kind: 'training', ...shown };
  }
  return { kind: 'work', activity: live.activity, ...live.work, at: new Date().toISOString() };
}

/** All that a query over a few ids finds. */
async function listAll(calls: Calls, query: string): Promise<Execution[]> {
  const all: Execution[] = [];
  let cursor: string | null = null;
  do {
    const page = await list(calls, query, largestServerPage, cursor);
    all.push(...page.executions);
    cursor = page.next;
  } while (cursor !== null);
  return all;
}

async function inChunks(ids: readonly string[], ask: (chunk: string[]) => Promise<Execution[]>): Promise<Execution[]> {
  const chunks: string[][] = [];
  for (let at = 0; at < ids.length; at += idsAtOnce) chunks.push(ids.slice(at, at + idsAtOnce));
  return (await Promise.all(chunks.map(ask))).flat();
}

/** In the order of their salvages, each once; what the server no longer remembers is left out. */
async function runsSalvagedBy(calls: Calls, salvages: readonly Execution[]): Promise<Execution[]> {
  const ids = [...new Set(salvages.map(({ execution }) => runOfSalvage(execution?.workflowId ?? '')))];
  const runs = newestLives(await inChunks(ids, (chunk) => listAll(calls, runsQuery(chunk))));
  return ids.flatMap((id) => runs.find(({ execution }) => execution?.workflowId === id) ?? []);
}

/** By place, for those whose salvage could know more than they do. */
async function salvagesOf(calls: Calls, runs: readonly Execution[]): Promise<Map<string, SalvageFacts>> {
  const places = runs.flatMap((run) => (mayHaveSalvage(factsOf(run)) ? placeOfExecution(run) : []));
  const salvages = await inChunks(places, (chunk) => listAll(calls, salvagesOfQuery(chunk)));
  const found = new Map<string, SalvageFacts>();
  for (const salvage of newestFirst(salvages)) {
    const place = placeOfSalvage(salvage.execution?.workflowId ?? '');
    const { outcome, workflowStatus } = factsOf(salvage);
    const newer = found.get(place);
    found.set(place, {
      isOpen: newer?.isOpen ?? workflowStatus === 'running',
      // One that is under way, or found nothing, takes nothing back of what the one before found.
      outcome: newer?.outcome ?? outcome,
    });
  }
  return found;
}

const statuses: readonly WorkflowStatus[] = [
  'unknown',
  'running',
  'completed',
  'failed',
  'cancelled',
  'terminated',
  'continuedAsNew',
  'timedOut',
];

const factsOf = (execution: Execution): Omit<RunFacts, 'salvage'> => ({
  workflowStatus: statuses[Number(execution.status ?? 0)] ?? 'unknown',
  state: runStateSchema.safeParse(attributeOf(execution, attributes.state)).data ?? null,
  detail: textOf(execution, attributes.detail),
  outcome: outcomeSchema.safeParse(attributeOf(execution, attributes.outcome)).data ?? null,
});

function summaryOf(execution: Execution, salvage: SalvageFacts | null, isTakenUp?: boolean): RunSummary | null {
  const run = execution.execution?.workflowId;
  const createdAt = instantOf(execution.startTime);
  if (!run || createdAt === null) return null;
  const facts: RunFacts = { ...factsOf(execution), salvage, ...(isTakenUp === undefined ? {} : { isTakenUp }) };
  const startedAt = z.iso.datetime().safeParse(textOf(execution, attributes.started)).data ?? null;
  const state = stateOf(facts);
  return {
    run,
    standing: standingOf(facts),
    state,
    detail: state === 'stopped' ? state : facts.detail,
    outcome: outcomeOf(facts),
    trainer: textOf(execution, attributes.trainer),
    project: textOf(execution, attributes.project),
    bestMetric: z.number().safeParse(attributeOf(execution, attributes.bestMetric)).data ?? null,
    // Of a run that is one execution after the other, this is the newest one's, which began later than the run.
    createdAt: startedAt !== null && startedAt < createdAt ? startedAt : createdAt,
    startedAt,
    closedAt: instantOf(execution.closeTime),
    workflowStatus: facts.workflowStatus,
  };
}

function instantOf(time: Execution['startTime']): string | null {
  if (!time) return null;
  const milliseconds = Number(time.seconds ?? 0) * 1000 + Math.floor((time.nanos ?? 0) / 1_000_000);
  return milliseconds > 0 ? new Date(milliseconds).toISOString() : null;
}

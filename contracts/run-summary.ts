/**
 * What a run is, and what it came to, from what Temporal lists of it: one rule for the pages, the command line and the API.
 * Pure. What is not known is null, never a guess.
 */
import { z } from 'zod';
import { type Outcome, outcomeSchema, type RunState, runStateSchema } from './receipt.ts';
import { extensible } from './tolerance.ts';

export const workflowStatusSchema = z.enum([
  'running',
  'completed',
  'failed',
  'cancelled',
  'terminated',
  'timedOut',
  'continuedAsNew',
  'unknown',
]);
export type WorkflowStatus = z.infer<typeof workflowStatusSchema>;

/**
 * Where a run stands, in one word; once it is over, its outcome.
 *
 * - waiting: for a free slot, or for its trainer to be ready; `starting`: a host has it, and makes its trainer ready.
 * - salvaging: it was ended by force, and what is left of it is being landed.
 * - ended: it was ended by force, and nobody knows yet what is left of it.
 * - unknown: no worker has taken it up, so that it has not said anything.
 */
export const standingSchema = z.enum([
  'draft',
  'checking',
  'waiting',
  'starting',
  'training',
  'recovering',
  'pausing',
  'paused',
  'stopping',
  'uploading',
  'salvaging',
  'ended',
  'unknown',
  ...outcomeSchema.options,
]);
export type Standing = z.infer<typeof standingSchema>;

export const runSummarySchema = extensible({
  run: z.string(),
  standing: standingSchema,
  /** Null for a run that has not said it yet. */
  state: runStateSchema.nullable(),
  /** The chart's full state, e.g. `training.paused`; null where it is not known. */
  detail: z.string().nullable(),
  /** Null while it is open, and while nobody knows what is left of one that was ended by force. */
  outcome: outcomeSchema.nullable(),
  trainer: z.string().nullable(),
  project: z.string().nullable(),
  /** Value of the metric that chooses the best checkpoint. */
  bestMetric: z.number().nullable(),
  /** Of a long run, which is one workflow execution after the other, not before `startedAt`. */
  createdAt: z.iso.datetime(),
  /** When it began to train, or to wait for a slot; null for a draft, and for what never did. */
  startedAt: z.iso.datetime().nullable(),
  closedAt: z.iso.datetime().nullable(),
  /** Temporal's own status. */
  workflowStatus: workflowStatusSchema,
});
export type RunSummary = z.infer<typeof runSummarySchema>;

/** What the salvage of a run has come to so far. */
export interface SalvageFacts {
  isOpen: boolean;
  outcome: Outcome | null;
}

/** What Temporal tells of a run: its status, and its search attributes as the run set them last. */
export interface RunFacts {
  workflowStatus: WorkflowStatus;
  state: RunState | null;
  detail: string | null;
  outcome: Outcome | null;
  /** Null where there is none. */
  salvage: SalvageFacts | null;
  /** Whether a host has taken the run up, where someone has looked. */
  isTakenUp?: boolean;
}

export const isOpen = (status: WorkflowStatus): boolean => status === 'running' || status === 'continuedAsNew';

/** Runs that may not have had the last word: their salvage is asked. */
export const mayHaveSalvage = ({ workflowStatus, outcome }: Pick<RunFacts, 'workflowStatus' | 'outcome'>): boolean =>
  !isOpen(workflowStatus) && (outcome === null || workflowStatus === 'failed' || isForced(workflowStatus));

const isForced = (status: WorkflowStatus): boolean => status === 'terminated' || status === 'timedOut';

export const stateOf = ({ workflowStatus, state }: RunFacts): RunState | null =>
  // A run that was ended by force keeps the attributes that it had.
  isOpen(workflowStatus) ? state : 'stopped';

/** A salvage knows more than the run that it landed, whose end it came after. */
export function outcomeOf({ workflowStatus, state, outcome, salvage }: RunFacts): Outcome | null {
  // It has landed, and only its observers have still to be told of that.
  if (isOpen(workflowStatus)) return state === 'stopped' ? outcome : null;
  if (salvage?.outcome) return salvage.outcome;
  if (outcome !== null) return outcome;
  if (workflowStatus === 'failed') return 'failed';
  // It never trained: nothing can be left of it.
  if (state === null || state === 'configuring') return 'stopped';
  return null;
}

const byDetail: Readonly<Record<string, Standing>> = {
  'configuring.draft': 'draft',
  'configuring.validating': 'checking',
  'training.acquiring': 'waiting',
  'training.recovering': 'recovering',
  'training.pausing': 'pausing',
  'training.paused': 'paused',
};
const byState: Readonly<Record<Exclude<RunState, 'stopped'>, Standing>> = {
  configuring: 'unknown',
  training: 'training',
  stopping: 'stopping',
  uploading: 'uploading',
};

export function standingOf(facts: RunFacts): Standing {
  const outcome = outcomeOf(facts);
  if (outcome !== null) return outcome;
  const { workflowStatus, state, detail, salvage } = facts;
  if (!isOpen(workflowStatus)) return salvage?.isOpen ? 'salvaging' : 'ended';
  if (state === null) return 'unknown';
  if (state === 'stopped') return 'uploading';
  const standing = byDetail[detail ?? ''] ?? byState[state];
  return standing === 'waiting' && facts.isTakenUp ? 'starting' : standing;
}

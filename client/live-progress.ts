/** What a run does right now, from the heartbeats of its activities: no worker is asked. */
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { type Progress, progressSchema, type WorkProgress, workProgressSchema } from '../contracts/progress.ts';
import { isHostQueue } from '../contracts/queues.ts';
import { decoded, failureMessage } from './temporal-client.ts';

export type LiveProgress =
  | { kind: 'progress'; progress: Progress }
  /** Set-up, storing, publishing; `activity` is its name, e.g. `publish`. */
  | { kind: 'work'; activity: string; work: WorkProgress };

type PendingActivity = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

/**
 * The epoch under way first. An activity that has not reported yet, or in an unknown form, is left out, but for a session
 * that no worker has taken yet: the run waits for a slot.
 */
export async function liveProgress(
  client: Pick<Client, 'options'>,
  { raw }: Pick<WorkflowExecutionDescription, 'raw'>,
  now = Date.now(),
): Promise<LiveProgress[]> {
  const live = await Promise.all((raw.pendingActivities ?? []).map((pending) => progressOf(client, pending, now)));
  return live.flat().sort((a, b) => a.kind.localeCompare(b.kind));
}

async function progressOf(
  { options }: Pick<Client, 'options'>,
  pending: PendingActivity,
  now: number,
): Promise<LiveProgress[]> {
  const { activityType, heartbeatDetails, attempt, lastFailure } = pending;
  const activity = activityType?.name ?? 'activity';
  // The run does not wait for it.
  if (activity === 'tellObserver') return [];
  if (activity === 'openSession' && !heartbeatDetails) return slotWait(pending, now);
  const details = await decoded(options, heartbeatDetails?.payloads?.[0]);
  const progress = progressSchema.safeParse(details);
  if (progress.success) return [{ kind: 'progress', progress: progress.data }];
  // An activity that is tried again tells why, also while it waits for the next attempt.
  const message = (attempt ?? 1) > 1 ? await failureMessage(options, lastFailure) : null;
  const trouble = message === null ? {} : { trouble: message };
  const work = workProgressSchema.safeParse(details);
  if (work.success) return [{ kind: 'work', activity, work: { ...trouble, ...work.data } }];
  return message === null ? [] : [{ kind: 'work', activity, work: { doing: activity, ...trouble } }];
}

/** Nothing for a moment: a free slot takes the run at once, and so does a host that has its session. */
function slotWait({ state, scheduledTime, activityOptions }: PendingActivity, now: number): LiveProgress[] {
  const pool = activityOptions?.taskQueue?.name;
  const seconds = now / 1000 - Number(scheduledTime?.seconds ?? 0);
  if (state !== scheduled || !scheduledTime || !pool || isHostQueue(pool) || seconds < shortestWait) return [];
  const doing = `waiting for a worker of pool ${pool} with a free slot (${roundedWait(seconds)} so far)`;
  return [{ kind: 'work', activity: 'openSession', work: { doing } }];
}

/** `PENDING_ACTIVITY_STATE_SCHEDULED` */
const scheduled = 1;
/** In seconds. */
const shortestWait = 3;

/** In steps that grow with it: whoever prints each change prints few lines in a long wait. */
function roundedWait(seconds: number): string {
  if (seconds < 60) return `${Math.max(shortestWait, Math.floor(seconds / 10) * 10)} s`;
  const minutes = seconds / 60;
  if (minutes < 60) return `${minutes < 10 ? Math.floor(minutes) : Math.floor(minutes / 10) * 10} min`;
  return `${Math.floor(minutes / 60)} h`;
}

/** What a run does right now, from the heartbeats of its activities: no worker is asked. */
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { type Progress, progressSchema, type WorkProgress, workProgressSchema } from '../contracts/progress.ts';
import { isHostQueue } from '../contracts/queues.ts';

export type LiveProgress =
  | { kind: 'progress'; progress: Progress }
  /** Set-up, storing, publishing; `activity` is its name, e.g. `publish`. */
  | { kind: 'work'; activity: string; work: WorkProgress };

type PendingActivity = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

/**
 * The epoch under way first. An activity that has not reported yet, or in an unknown form, is left out, but for a session
 * that no worker has taken yet: the run waits for a slot.
 */
export function liveProgress({ raw }: Pick<WorkflowExecutionDescription, 'raw'>, now = Date.now()): LiveProgress[] {
  const live = (raw.pendingActivities ?? []).flatMap((pending): LiveProgress[] => {
    const { activityType, heartbeatDetails, attempt, lastFailure } = pending;
    const activity = activityType?.name ?? 'activity';
    // The run does not wait for it.
    if (activity === 'tellObserver') return [];
    if (activity === 'openSession' && !heartbeatDetails) return slotWait(pending, now);
    const [payload] = heartbeatDetails?.payloads ?? [];
    const details: unknown = payload ? defaultPayloadConverter.fromPayload(payload) : null;
    const progress = progressSchema.safeParse(details);
    if (progress.success) return [{ kind: 'progress', progress: progress.data }];
    // An activity that is tried again tells why, also while it waits for the next attempt.
    const trouble = (attempt ?? 1) > 1 && lastFailure?.message ? { trouble: lastFailure.message } : {};
    const work = workProgressSchema.safeParse(details);
    if (work.success) return [{ kind: 'work', activity, work: { ...trouble, ...work.data } }];
    return 'trouble' in trouble ? [{ kind: 'work', activity, work: { doing: activity, ...trouble } }] : [];
  });
  return live.sort((a, b) => a.kind.localeCompare(b.kind));
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

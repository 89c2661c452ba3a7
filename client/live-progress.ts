/** What a run does right now, from the heartbeats of its activities: no worker is asked. */
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { type Progress, progressSchema, type WorkProgress, workProgressSchema } from '../contracts/progress.ts';

export type LiveProgress =
  | { kind: 'progress'; progress: Progress }
  /** Set-up, storing, publishing; `activity` is its name, e.g. `publish`. */
  | { kind: 'work'; activity: string; work: WorkProgress };

/** The epoch under way first. An activity that has not reported yet, or in an unknown form, is left out. */
export function liveProgress({ raw }: WorkflowExecutionDescription): LiveProgress[] {
  const live = (raw.pendingActivities ?? []).flatMap(
    ({ activityType, heartbeatDetails, attempt, lastFailure }): LiveProgress[] => {
      const activity = activityType?.name ?? 'activity';
      const [payload] = heartbeatDetails?.payloads ?? [];
      const details: unknown = payload ? defaultPayloadConverter.fromPayload(payload) : null;
      const progress = progressSchema.safeParse(details);
      if (progress.success) return [{ kind: 'progress', progress: progress.data }];
      // An activity that is tried again tells why, also while it waits for the next attempt.
      const trouble = (attempt ?? 1) > 1 && lastFailure?.message ? { trouble: lastFailure.message } : {};
      const work = workProgressSchema.safeParse(details);
      if (work.success) return [{ kind: 'work', activity, work: { ...trouble, ...work.data } }];
      return 'trouble' in trouble ? [{ kind: 'work', activity, work: { doing: activity, ...trouble } }] : [];
    },
  );
  return live.sort((a, b) => a.kind.localeCompare(b.kind));
}

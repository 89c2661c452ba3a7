/** What an activity's error means for the run. Pure. */
import { ActivityFailure, ApplicationFailure, CancelledFailure, TimeoutFailure } from '@temporalio/common';
import { type Failure, isForAnotherHost } from '../contracts/failure.ts';
import { otherLifeType } from '../contracts/life.ts';
import { progressSchema } from '../contracts/progress.ts';
import {
  noFreeSlotType,
  type SessionFailure,
  sessionFailedType,
  sessionFailureSchema,
} from '../contracts/run-activities.ts';

/**
 * `unseen`: nobody saw the session end, and the trainer may well train on. `reachedAtLeast`: it had trained that far when its host was last heard
 * of, which was a while before.
 */
export type SessionTrouble = SessionFailure & { unseen?: true; reachedAtLeast?: true };

/** The failure, and where the session got to, as far as it can be told. */
export function sessionFailureOf(error: unknown): SessionTrouble {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  const nothing = { preempted: false, report: null, reached: null };
  if (cause instanceof ApplicationFailure && cause.type === sessionFailedType) {
    const details = sessionFailureSchema.safeParse(cause.details?.[0]);
    if (details.success) return details.data;
  }
  if (cause instanceof TimeoutFailure) {
    const last = progressSchema.safeParse(cause.lastHeartbeatDetails);
    const trained = last.success && last.data.phase === 'train' ? last.data : null;
    const message =
      cause.timeoutType === 'SCHEDULE_TO_START'
        ? 'no worker on the host picked up the work in time'
        : 'the host sent no heartbeat in time';
    return {
      ...nothing,
      failure: { kind: 'hostLost', message },
      reached: trained && { epoch: trained.epoch - 1, batch: trained.batch },
      reachedAtLeast: true,
      ...(trained?.batches ? { batchesPerEpoch: trained.batches } : {}),
    };
  }
  if (cause instanceof CancelledFailure) {
    const message = 'the worker gave up the session';
    return { ...nothing, failure: { kind: 'workerLost', message }, reachedAtLeast: true };
  }
  return { ...nothing, failure: failureOf(cause), unseen: true };
}

/**
 * Whether an activity failed in a way that none of ours does: someone failed or paused it by hand, its worker had no file handles left, its
 * answer is invalid. It says nothing about the training, and asking again may well do.
 */
export function isUnexpected(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof TimeoutFailure || cause instanceof CancelledFailure) return false;
  if (cause instanceof ApplicationFailure && expectedTypes.has(cause.type ?? '')) return false;
  return failureOf(cause).kind === 'internal';
}
const expectedTypes: ReadonlySet<string> = new Set([sessionFailedType, noFreeSlotType, otherLifeType]);

/** Any error as a failure; `internal` when nothing better is known. */
export function failureOf(error: unknown): Failure {
  const cause = error instanceof ActivityFailure ? (error.cause ?? error) : error;
  if (cause instanceof ApplicationFailure) {
    const details = sessionFailureSchema.shape.failure.safeParse(cause.details?.[0]);
    if (details.success && details.data) return details.data;
  }
  if (cause instanceof TimeoutFailure) {
    // It was tried again until its time was up: what kept it from succeeding says more than the time.
    const last = cause.cause instanceof ApplicationFailure ? failureOf(cause.cause) : null;
    return last ?? { kind: 'hostLost', message: `no answer in time: ${cause.message}` };
  }
  return {
    kind: 'internal',
    message: cause instanceof Error ? cause.message.slice(0, 4000) : String(cause).slice(0, 4000),
  };
}

/** The host, or its worker, stopped answering: another session is wanted at once. */
export const isHostTrouble = (failure: Failure | null): boolean =>
  failure === null || failure.kind === 'hostLost' || failure.kind === 'workerLost';

/** What a host lacks, or suffers, says nothing about the training: it never uses up the restarts budget. */
export const isOfHost = (failure: Failure | null): boolean => isHostTrouble(failure) || isForAnotherHost(failure);

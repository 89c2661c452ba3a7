/** What every activity needs: heartbeats that tell what is being done, and failures that keep their type. */
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { Failure } from '../contracts/failure.ts';
import { type Owner, otherLifeType } from '../contracts/life.ts';
import type { Progress, WorkProgress } from '../contracts/progress.ts';
import { type SessionFailure, sessionFailedType } from '../contracts/run-activities.ts';
import type { Session } from '../contracts/session.ts';
import { StoreError } from '../stores/artifact-store.ts';
import { OtherLife } from '../worker/claims.ts';
import type { Host } from '../worker/host.ts';
import type { LiveSession } from '../worker/session.ts';

/** How often the server hears of an activity that is watched, in ms. How long it may hear nothing is `deadlines.heartbeatSeconds`. */
export const heartbeatInterval = 300;
/** How often the newest progress is handed to the SDK, which sends it at the interval. */
const beat = 200;
/** Characters of what a store says of why it makes us wait: it travels with every heartbeat. */
export const longestDoing = 500;

/** Heartbeats within the timeout of an activity that nobody watches: one may be late, and one be lost. */
export const beatsInTimeout = 3;
/** However long the timeout, in ms: a run that was ended by force, or has given this host up, is heard of by one. */
const longestBetweenBeats = 60_000;

/**
 * Runs `work` while heartbeats carry what `details` answers at the time. The SDK thins them out to `heartbeatInterval`; where nobody
 * watches, there are as few as show that the worker is alive. A cancel comes with the next one, where the server does not send it by itself.
 * A cancelled activity throws CancelledFailure, whatever `work` threw when its signal was aborted.
 */
export async function heartbeating<T>(
  details: () => Progress | WorkProgress,
  work: (signal: AbortSignal) => Promise<T>,
  isWatched: () => boolean = () => true,
): Promise<T> {
  const context = Context.current();
  const seldom = Math.min((context.info.heartbeatTimeoutMs ?? 0) / beatsInTimeout, longestBetweenBeats);
  let last = performance.now();
  const tell = () => {
    const now = details();
    if (!isWatched() && performance.now() - last < seldom) return;
    last = performance.now();
    context.heartbeat(now);
  };
  const timer = setInterval(tell, beat);
  try {
    tell();
    return await work(context.cancellationSignal);
  } catch (error) {
    if (context.cancellationSignal.aborted) throw new CancelledFailure(`cancelled: ${reason(context)}`);
    throw asFailure(error);
  } finally {
    clearInterval(timer);
  }
}

/** The same for work whose progress is a sentence and bytes. */
export function working<T>(
  first: string,
  work: (signal: AbortSignal, progress: WorkProgress) => Promise<T>,
): Promise<T> {
  return workingFor(() => true, first, work);
}

/** As `working`, as often as whoever watches needs. */
export function workingFor<T>(
  isWatched: () => boolean,
  first: string,
  work: (signal: AbortSignal, progress: WorkProgress) => Promise<T>,
): Promise<T> {
  const progress: WorkProgress = { doing: first };
  return heartbeating(
    () => ({ ...progress }),
    (signal) => work(signal, progress),
    isWatched,
  );
}

/** A run is told of as often as somebody looks. */
export const watchOf = (host: Host, run: string) => () => host.watched.until(run) !== null;

/** How far a session is, for whoever watches its run; it counts as one that its run speaks to. */
export function sessionProgress(host: Host, session: LiveSession): Progress {
  session.touch();
  const watchedUntil = host.watched.until(session.run);
  return { ...session.meter.current, ...(watchedUntil === null ? {} : { watchedUntil }) };
}

const reason = (context: Context) =>
  Object.entries(context.cancellationDetails ?? {})
    .flatMap(([name, set]) => (set === true ? [name] : []))
    .join(', ');

/** The session of this life; null when it is not open here. Throws the failure `OtherLife`. */
export async function ownSession(host: Host, input: Owner & { session: Session }): Promise<LiveSession | null> {
  try {
    return await host.sessions.findOwn(input, input.session.id);
  } catch (error) {
    throw asFailure(error);
  }
}

const asFailure = (error: unknown): unknown =>
  error instanceof OtherLife ? ApplicationFailure.nonRetryable(error.message, otherLifeType) : error;

/** The workflow no longer waits for this activity: it closed, or continued without us. */
export const isOrphaned = (): boolean => Context.current().cancellationDetails?.notFound === true;

export const sessionFailed = (details: SessionFailure): ApplicationFailure =>
  ApplicationFailure.create({
    type: sessionFailedType,
    message: details.preempted ? 'preempted' : `${details.failure?.kind}: ${details.failure?.message}`,
    nonRetryable: true,
    details: [details],
  });

/** A typed failure; the server tries it again only when that can help. */
export const failed = (failure: Failure, retryable: boolean, cause?: unknown): ApplicationFailure =>
  ApplicationFailure.create({
    type: failure.kind,
    message: failure.message,
    nonRetryable: !retryable,
    details: [failure],
    ...(cause instanceof Error ? { cause } : {}),
  });

/** Store trouble becomes a failure of kind `store`, tried again as the store says. */
export async function withStore<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StoreError)
      throw failed({ kind: 'store', message: error.message.slice(0, 4000) }, error.retryable, error);
    throw error;
  }
}

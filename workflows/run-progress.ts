/** How reports of a session change what the run remembers. Pure. */
import { isBefore, type Position } from '../contracts/checkpoint.ts';
import type { Failure } from '../contracts/failure.ts';
import type { OpenedSession, Published, SessionFailure } from '../contracts/run-activities.ts';
import type { SessionEnd, SessionReport } from '../contracts/session.ts';
import { adoptCheckpoints, withoutHost } from './ledger.ts';
import { extendCurve } from './metric-curve.ts';
import { planOf, type RunContext } from './run-context.ts';
import { isHostTrouble } from './session-failures.ts';

type Change = Partial<RunContext>;

/** What is remembered travels in every payload, so that each list of it has an end. */
const mostNotes = 50;
const longestNote = 500;
const mostRestarts = 200;
const longestOldMessage = 300;

const ledgerFull =
  'there are more checkpoints to keep than a run can remember: the newest of those for good were removed';

const withNotes = (notes: readonly string[], more: readonly string[]): string[] =>
  [...new Set([...notes, ...more.map((note) => shortened(note, longestNote))])].slice(-mostNotes);

const shortened = (text: string, limit: number) => (text.length > limit ? `${text.slice(0, limit - 1)}…` : text);

/** The newest failure with its traceback; of those before, what happened is enough. */
function withRestart(restarts: RunContext['restarts'], newest: RunContext['restarts'][number]): RunContext['restarts'] {
  const before = restarts.map(({ failure, ...restart }) => ({
    ...restart,
    failure: failure && { kind: failure.kind, message: shortened(failure.message, longestOldMessage) },
  }));
  return [...before, newest].slice(-mostRestarts);
}

/** Complete epochs and new checkpoints of a session on `host`. */
export function adoptReport(context: RunContext, report: SessionReport, host: string): Change {
  const { config, best } = planOf(context);
  const epochs = report.epochs.filter(({ epoch }) => epoch > context.position.epoch);
  const { ledger, dropped, isFull } = adoptCheckpoints(
    context.ledger,
    report.checkpoints,
    host,
    config.checkpoints,
    best,
  );
  const last = epochs.at(-1);
  const position = isBefore(context.position, report.position) ? report.position : context.position;
  return {
    ledger,
    dropped: [...new Set([...context.dropped, ...dropped])].filter(
      (name) => !ledger.some((entry) => entry.name === name),
    ),
    position,
    reached: isBefore(context.reached, position) ? position : context.reached,
    metrics: last?.metrics ?? context.metrics,
    curve: extendCurve(context.curve, epochs),
    batchesPerEpoch: last?.batches ?? context.batchesPerEpoch,
    notes: withNotes(context.notes, isFull ? [...report.notes, ledgerFull] : report.notes),
    // Progress: what failed before has been overcome.
    ...(epochs.length > 0 ? { failuresInRow: 0 } : {}),
  };
}

/** A session has begun, from where it says; what lies on hosts that are gone is given up. */
export function adoptSession(context: RunContext, { session, report }: OpenedSession): Change {
  const start = session.resumedFrom ?? { epoch: 0, batch: 0 };
  const lostHost = context.lastSession && context.lastSession.host !== session.host ? context.lastSession.host : null;
  const ledger = (lostHost ? withoutHost(context.ledger, lostHost) : context.ledger).filter(
    (entry) => !isBefore(start, entry),
  );
  const back: RunContext = {
    ...context,
    ledger,
    position: isBefore(start, context.position) ? start : context.position,
    curve: { ...context.curve, points: context.curve.points.filter((point) => point.epoch <= start.epoch) },
  };
  const merged = { ...back, ...adoptReport(back, report, session.host) };
  return {
    ...merged,
    session,
    lastSession: session,
    lastHost: session.host,
    handedOver: false,
    position: start,
    reached: start,
    batchesWasted: context.batchesWasted + batchesBetween(start, context.reached, context.batchesPerEpoch),
    notAfter: null,
  };
}

/** A session is over without being asked: remember what it left, and why. */
export function adoptFailure(
  context: RunContext,
  { failure, preempted, report, reached, batchesPerEpoch, host: at, gpuMemoryReleased = null }: SessionFailure,
): Change {
  const host = context.session?.host ?? context.lastSession?.host ?? '';
  const adopted = report ? adoptReport(context, report, host) : {};
  const after = { ...context, ...adopted };
  return {
    ...adopted,
    // A host in trouble may still have the trainer: a stop has to reach it there.
    session: isHostTrouble(failure) && !preempted ? context.session : null,
    // The folder of the last session says more than that of an attempt elsewhere.
    lastHost: context.lastSession?.host ?? at ?? context.lastHost,
    // A session that ended by itself was seen to its end; of a host in trouble nobody knows yet.
    processGroupGone: isHostTrouble(failure) && !preempted ? null : true,
    gpuMemoryReleased,
    reached: reached && isBefore(after.reached, reached) ? reached : after.reached,
    batchesPerEpoch: after.batchesPerEpoch || (batchesPerEpoch ?? 0),
    handedOver: context.handedOver || preempted,
    failure,
    failuresInRow: after.failuresInRow + (preempted || isHostTrouble(failure) ? 0 : 1),
    restarts: withRestart(context.restarts, {
      reason: preempted ? 'preemption' : 'failure',
      failure,
      epoch: after.position.epoch,
    }),
    ...answerTo(failure, after),
  };
}

/** What changes for the next attempt, by the kind of failure. */
function answerTo(failure: Failure | null, context: RunContext): Change {
  const { config, canShrinkBatch } = planOf(context);
  if (failure?.kind === 'outOfMemory' && canShrinkBatch && config.failures.onOutOfMemory === 'smallerBatch') {
    const batchDivisor = Math.min(context.batchDivisor * 2, 1024);
    const note = `out of memory: from epoch ${context.position.epoch + 1} on each batch was computed in ${batchDivisor} parts, gradients accumulated`;
    return { batchDivisor, notes: withNotes(context.notes, [note]) };
  }
  if (failure?.kind === 'nan' && config.failures.onNan === 'rollBack') {
    // One epoch further back than the checkpoint that led to NaN, when this attempt made no progress.
    const epoch = Math.max(0, context.position.epoch - (context.failuresInRow > 0 ? 1 : 0));
    return { notAfter: { epoch, batch: 0 } };
  }
  return {};
}

/** The trainer has ended as asked. */
export function adoptEnd(context: RunContext, end: SessionEnd): Change {
  const host = context.session?.host ?? '';
  const adopted = adoptReport(context, end.report, host);
  const failure = context.stop && isHostTrouble(end.failure) ? null : end.failure;
  const after = { ...context, ...adopted };
  return {
    ...adopted,
    // A trainer that had to be killed leaves batches that it did not save.
    reached: end.reached && isBefore(after.reached, end.reached) ? end.reached : after.reached,
    batchesPerEpoch: after.batchesPerEpoch || (end.batchesPerEpoch ?? 0),
    session: null,
    failure: context.failure ?? failure,
    finished: end.finished,
    batchesAfterStop: end.batchesAfterStop,
    processGroupGone: end.processGroupGone,
    gpuMemoryReleased: end.gpuMemoryReleased,
  };
}

/** The trainer has ended after the last epoch, and was not done: another session has to do what it left. */
export function adoptUnfinished(context: RunContext, { report, failure, gpuMemoryReleased }: SessionEnd): Change {
  const interrupted: Failure = { kind: 'workerLost', message: 'the trainer was ended before it had finished' };
  return adoptFailure(context, {
    failure: failure ?? interrupted,
    // Its end was seen: nobody has to go back to its host for it.
    preempted: isHostTrouble(failure),
    report,
    reached: null,
    gpuMemoryReleased,
  });
}

/**
 * What landed, and with it the truth about how far the training came: work whose checkpoint is in no store is no part of
 * the result. That is a failure, except that a stop of a run whose host is gone lands what there is.
 */
export function adoptPublished(context: RunContext, published: Published): Change {
  const newest = published.checkpoints.reduce<Position>(
    (last, { epoch, batch }) => (isBefore(last, { epoch, batch }) ? { epoch, batch } : last),
    { epoch: 0, batch: 0 },
  );
  const isShort = isBefore(newest, context.position);
  const lost = published.lost.length > 0 ? published.lost.join(', ') : 'the newest checkpoint';
  const failure: Failure = {
    kind: 'dataDisk',
    message: `not in the store, and damaged on its host or gone with it: ${lost}`,
  };
  // A host publishes only once it has seen to the end of the run's last trainer.
  const processGroupGone = published.host ? true : context.processGroupGone;
  const hostGone = context.lastHost !== null && processGroupGone === null;
  const isFailure = (isShort || published.lost.length > 0) && !(context.stop && hostGone);
  return {
    published,
    processGroupGone,
    ...(isShort ? { position: newest } : {}),
    ...(isFailure ? { publishFailure: failure } : {}),
  };
}

/** Batches from `from` to `to`; 0 when `to` is not later. An epoch whose length is not known yet counts its batches alone. */
export function batchesBetween(from: Position, to: Position, batchesPerEpoch: number): number {
  if (!isBefore(from, to)) return 0;
  return Math.max(0, (to.epoch - from.epoch) * batchesPerEpoch + to.batch - from.batch);
}

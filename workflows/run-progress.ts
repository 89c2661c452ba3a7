/** How reports of a session change what the run remembers. Pure. */
import { isBefore, type Position } from '../contracts/checkpoint.ts';
import type { Failure } from '../contracts/failure.ts';
import { lifeNote } from '../contracts/life.ts';
import { mergeMaterials } from '../contracts/receipt-facts.ts';
import type { MovedIn, OpenedSession, Published } from '../contracts/run-activities.ts';
import type { Session, SessionEnd, SessionReport } from '../contracts/session.ts';
import { withEpochParts, withLostEpochs } from './epoch-parts.ts';
import { adoptCheckpoints, landedOf, withoutBacklog, withoutHost } from './ledger.ts';
import { extendCurve } from './metric-curve.ts';
import { holdsHere } from './patches.ts';
import { lastEpochOf, planOf, type RunContext } from './run-context.ts';
import { isHostTrouble, isOfHost, type SessionTrouble } from './session-failures.ts';
import { endByItself, endOf, withEnd, withSession } from './session-records.ts';

type Change = Partial<RunContext>;

/** What is remembered travels in every payload, so that each list of it has an end. */
const mostNotes = 50;
const longestNote = 500;
const mostRestarts = 200;
/** Where a store is away for long. The host removes by itself what the run has passed by, publishing what the store has too much. */
const mostDropped = 500;
const longestOldMessage = 300;

const ledgerFull = 'more checkpoints are to be retained than a run can record: the newest permanent ones were removed';
const storeBehind =
  'the store was unavailable, or slower than the training: of the permanent checkpoints that were not stored the newest 50 were retained';

export const withNotes = (notes: readonly string[], more: readonly string[]): string[] =>
  [...new Set([...notes, ...more.map((note) => shortened(note, longestNote))])].slice(-mostNotes);

const shortened = (text: string, limit: number) => (text.length > limit ? `${text.slice(0, limit - 1)}…` : text);

export const withDropped = (
  dropped: readonly string[],
  more: readonly string[],
  isGone: (name: string) => boolean,
): string[] => [...new Set([...dropped, ...more])].filter((name) => !isGone(name)).slice(-mostDropped);

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
  const { storing = [] } = context;
  const adopted = adoptCheckpoints(context.ledger, report.checkpoints, host, config.checkpoints, best, storing);
  const bounded = withoutBacklog(adopted, storing);
  // What is dropped is removed by an activity.
  const isBehind = bounded.isBehind && holdsHere('bounded-backlog');
  const { ledger, dropped, isFull } = isBehind ? bounded : adopted;
  const notes = [...report.notes, ...(isFull ? [ledgerFull] : []), ...(isBehind ? [storeBehind] : [])];
  const last = epochs.at(-1);
  const position = isBefore(context.position, report.position) ? report.position : context.position;
  return {
    ledger,
    dropped: withDropped(context.dropped, dropped, (name) => ledger.some((entry) => entry.name === name)),
    position,
    reached: isBefore(context.reached, position) ? position : context.reached,
    metrics: last?.metrics ?? context.metrics,
    curve: extendCurve(context.curve, epochs),
    batchesPerEpoch: last?.batches ?? context.batchesPerEpoch,
    inEpochs: withEpochParts(context.inEpochs, epochs),
    endedEarly: report.endedEarly ?? context.endedEarly ?? null,
    notes: withNotes(context.notes, notes),
    // What failed before has been overcome. Epochs that are trained again are no progress: who rolls back would fail for ever.
    ...(last && last.epoch > (context.failedAfter ?? 0) ? { failuresInRow: 0 } : {}),
  };
}

export const wasDamaged = (name: string) =>
  `${name} was damaged on its host, and moved aside there (damaged/${name} in the run folder)`;

/**
 * A session that was given up and is found again, running or over, was never lost: that was no restart. If it is over, asking it tells why.
 * Only a session that was given up is still open while another one is waited for.
 */
function withoutLoss({ restarts, session }: RunContext, found: Session): RunContext['restarts'] {
  if (session?.id !== found.id) return restarts;
  const loss = restarts.findLastIndex(
    ({ reason, failure }) => reason === 'failure' && failure && isHostTrouble(failure),
  );
  return restarts.filter((_, index) => index !== loss);
}

/** A session is open: another one, or the one before, whose host was out of reach for a while. */
export function adoptSession(context: RunContext, { session, report, attached, materials }: OpenedSession): Change {
  return {
    // Where that one began is long past: it trained on meanwhile, and all that it left still counts.
    ...(attached
      ? {
          ...adoptReport(context, report, session.host),
          restarts: withoutLoss(context, session),
          reachedAtLeast: undefined,
        }
      : adoptBeginning(context, session, report)),
    session,
    sessions: withSession(context.sessions, session),
    ...(materials ? { materials: mergeMaterials(materials, context.materials) } : {}),
    lastSession: session,
    lastHost: session.host,
    handedOver: false,
    notAfter: null,
  };
}

/**
 * A life with a place of its own: it goes on from what could be brought there. The session that it knew was the other life's,
 * and has been ended.
 */
export function adoptMove(context: RunContext, moved: MovedIn): Change {
  const plan = planOf(context);
  const left = context.ledger
    .filter(({ name }) => moved.brought.includes(name))
    .map((entry) => ({ ...entry, stored: true }));
  const { ledger } = adoptCheckpoints(left, [], '', plan.config.checkpoints, plan.best);
  const gone = context.ledger.filter(({ name }) => !moved.brought.includes(name)).map(({ name }) => name);
  const newest = ledger.at(-1);
  const position: Position = newest ? { epoch: newest.epoch, batch: newest.batch } : { epoch: 0, batch: 0 };
  const isBack = isBefore(position, context.position);
  const notes = [
    lifeNote(moved.before, moved.outputFolder),
    ...(gone.length > 0 ? [`no longer available from the previous life: ${gone.join(', ')}`] : []),
  ];
  return {
    plan: { ...plan, place: moved.place, outputFolder: moved.outputFolder },
    ledger,
    dropped: [],
    storing: [],
    session: null,
    lastSession: null,
    lastHost: null,
    handedOver: false,
    ...(isBack
      ? {
          position,
          metrics: newest?.metrics ?? {},
          curve: { ...context.curve, points: context.curve.points.filter(({ epoch }) => epoch <= position.epoch) },
          // What follows the last epoch belongs to a training that got there.
          finished: false,
          endedEarly: null,
        }
      : {}),
    processGroupGone: moved.processGroupGone,
    published: null,
    publishFailure: null,
    receipt: null,
    notes: withNotes(context.notes, notes),
  };
}

/** A session begins from where it says: what was trained beyond is trained again; hosts that are gone are given up. */
function adoptBeginning(context: RunContext, session: Session, report: SessionReport): Change {
  const start = session.resumedFrom ?? { epoch: 0, batch: 0 };
  const lostHost = context.lastSession && context.lastSession.host !== session.host ? context.lastSession.host : null;
  // What it goes on from lies on its host now, and came from the store, whatever the host before could still tell.
  const moved = context.ledger.map((entry) =>
    lostHost !== null && entry.host === lostHost && isAt(entry, start)
      ? { ...entry, host: session.host, stored: true }
      : entry,
  );
  const ledger = (lostHost ? withoutHost(moved, lostHost) : moved).filter((entry) => !isBefore(start, entry));
  const back: RunContext = {
    ...context,
    ledger,
    position: isBefore(start, context.position) ? start : context.position,
    metrics:
      (isBefore(start, context.position) && ledger.find((entry) => isAt(entry, start))?.metrics) || context.metrics,
    curve: { ...context.curve, points: context.curve.points.filter((point) => point.epoch <= start.epoch) },
    inEpochs: withLostEpochs(context.inEpochs, context.position.epoch - start.epoch),
  };
  return {
    ...back,
    ...adoptReport(back, report, session.host),
    position: start,
    reached: start,
    batchesWasted: context.batchesWasted + batchesBetween(start, context.reached, context.batchesPerEpoch),
    ...(context.reachedAtLeast ? { reachedAtLeast: undefined, wastedAtLeast: true } : {}),
  };
}

/** A session is over without being asked: remember what it left, and why. */
export function adoptFailure(context: RunContext, trouble: SessionTrouble): Change {
  const { failure, preempted, report, reached, batchesPerEpoch, host: at, gpuMemoryReleased = null } = trouble;
  const mayStillRun = trouble.unseen || (isHostTrouble(failure) && !preempted && !trouble.isOver);
  const host = context.session?.host ?? context.lastSession?.host ?? '';
  const adopted = report ? adoptReport(context, report, host) : {};
  const isCounted = !preempted && !isOfHost(failure);
  const before = { ...context, ...adopted };
  const failedAfter = Math.max(before.failedAfter ?? 0, isCounted ? before.position.epoch : 0);
  const after = { ...before, failedAfter };
  return {
    ...adopted,
    failedAfter,
    // Where its end was not seen, the trainer may still be there: a stop has to reach it.
    session: mayStillRun ? context.session : null,
    sessions: mayStillRun ? context.sessions : withEnd(context.sessions, context.session, endByItself(trouble)),
    // The folder of the last session says more than that of an attempt elsewhere.
    lastHost: context.lastSession?.host ?? at ?? context.lastHost,
    processGroupGone: mayStillRun ? null : true,
    gpuMemoryReleased,
    ...trainedUpTo(after, reached, batchesPerEpoch),
    ...(trouble.reachedAtLeast && !isAllTrained(after) ? { reachedAtLeast: true } : {}),
    handedOver: context.handedOver || preempted,
    failure,
    failuresInRow: after.failuresInRow + (isCounted ? 1 : 0),
    restarts: withRestart(context.restarts, {
      reason: preempted ? 'preemption' : 'failure',
      failure,
      epoch: after.position.epoch,
    }),
    ...answerTo(failure, after),
  };
}

/** Another session did not come about. The one that was given up may still be there: its end has not been seen. */
export function adoptAttempt(context: RunContext, trouble: SessionTrouble): Change {
  // Nothing is trained before it has come about.
  const { reachedAtLeast: _, ...known } = trouble;
  const change = adoptFailure(context, known);
  if (!context.session || change.failure === null) return change;
  return { ...change, session: context.session, sessions: context.sessions, processGroupGone: null };
}

/** How far a session trained that is over, beyond what is known already; nobody may know. */
const trainedUpTo = (
  context: RunContext,
  reached: Position | null = null,
  batchesPerEpoch = 0,
): Pick<RunContext, 'reached' | 'batchesPerEpoch'> => ({
  reached: reached && isBefore(context.reached, reached) ? reached : context.reached,
  batchesPerEpoch: context.batchesPerEpoch || batchesPerEpoch,
});

/** What changes for the next attempt, by the kind of failure. */
function answerTo(failure: Failure | null, context: RunContext): Change {
  const { config, canShrinkBatch } = planOf(context);
  if (failure?.kind === 'outOfMemory' && canShrinkBatch && config.failures.onOutOfMemory === 'smallerBatch') {
    const batchDivisor = Math.min(context.batchDivisor * 2, 1024);
    const note = `out of memory: from epoch ${context.position.epoch + 1} on each batch was computed in ${batchDivisor} parts, gradients accumulated`;
    return { batchDivisor, notes: withNotes(context.notes, [note]) };
  }
  if (failure?.kind === 'nan' && config.failures.onNan === 'rollBack') {
    // One epoch further back with each attempt that got no further.
    const { position, failedAfter = position.epoch, failuresInRow } = context;
    const epoch = Math.max(0, Math.min(position.epoch, failedAfter - failuresInRow));
    return { notAfter: { epoch, batch: 0 } };
  }
  return {};
}

const isAllTrained = (context: RunContext) => context.position.epoch >= lastEpochOf(context);

/** The trainer has ended as asked. */
export function adoptEnd(context: RunContext, end: SessionEnd): Change {
  const host = context.session?.host ?? '';
  const adopted = adoptReport(context, end.report, host);
  const failure = context.stop && isHostTrouble(end.failure) ? null : end.failure;
  // Whatever was believed of it before: a trainer that ended well with all that it had to do is done.
  const isDone = end.finished && failure === null && isAllTrained({ ...context, ...adopted });
  return {
    ...adopted,
    // What it had not saved when it was killed is counted as wasted.
    ...trainedUpTo({ ...context, ...adopted }, end.reached, end.batchesPerEpoch),
    session: null,
    sessions: withEnd(context.sessions, context.session, endOf(end)),
    failure: isDone ? null : (context.failure ?? failure),
    finished: end.finished,
    batchesAfterStop: end.batchesAfterStop,
    processGroupGone: end.processGroupGone,
    gpuMemoryReleased: end.gpuMemoryReleased,
  };
}

/** The trainer has ended after the last epoch, and was not done: another session has to do what it left. */
export function adoptUnfinished(context: RunContext, end: SessionEnd): Change {
  const { report, reached = null, batchesPerEpoch, failure, gpuMemoryReleased } = end;
  const interrupted: Failure = { kind: 'workerLost', message: 'the trainer was ended before it had finished' };
  return adoptFailure(context, {
    failure: failure ?? interrupted,
    // The host did that: it goes down.
    preempted: failure === null,
    isOver: true,
    report,
    reached,
    batchesPerEpoch,
    gpuMemoryReleased,
  });
}

/**
 * What landed, and with it the truth about how far the training came: work whose checkpoint is in no store is no part of
 * the result. That is a failure, except that a stop of a run whose host is gone lands what there is.
 */
export function adoptPublished(context: RunContext, published: Published): Change {
  const { config, best } = planOf(context);
  const { ledger, checkpoints } = landedOf(context.ledger, published.checkpoints, config.checkpoints, best);
  const last = published.checkpoints.reduce<Published['checkpoints'][number] | null>(
    (newest, checkpoint) => (newest && isBefore(checkpoint, newest) ? newest : checkpoint),
    null,
  );
  const newest: Position = last ? { epoch: last.epoch, batch: last.batch } : { epoch: 0, batch: 0 };
  const isShort = isBefore(newest, context.position);
  const lost = published.lost.length > 0 ? published.lost.join(', ') : 'the newest checkpoint';
  const failure: Failure = {
    kind: 'checkpointLost',
    message: `not in the store, and damaged on its host or lost with it: ${lost}`,
  };
  // A host publishes only once it has seen to the end of the run's last trainer.
  const processGroupGone = published.host ? true : context.processGroupGone;
  const hostGone = context.lastHost !== null && processGroupGone === null;
  const isFailure = (isShort || published.lost.length > 0) && !(context.stop && hostGone);
  return {
    published: { ...published, checkpoints },
    ledger,
    processGroupGone,
    notes: withNotes(context.notes, [...(published.damaged ?? []).map(wasDamaged), ...(published.notes ?? [])]),
    ...(isShort ? { position: newest, metrics: last?.metrics ?? {} } : {}),
    ...(isFailure ? { publishFailure: failure } : {}),
  };
}

const isAt = (a: Position, b: Position) => a.epoch === b.epoch && a.batch === b.batch;

/** Batches from `from` to `to`; 0 when `to` is not later. An epoch whose length is not known yet counts its batches alone. */
export function batchesBetween(from: Position, to: Position, batchesPerEpoch: number): number {
  if (!isBefore(from, to)) return 0;
  return Math.max(0, (to.epoch - from.epoch) * batchesPerEpoch + to.batch - from.batch);
}

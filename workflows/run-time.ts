/** Where the time of a run goes, by cause. Pure, clock given. */
import type { Position } from '../contracts/checkpoint.ts';
import type { Receipt } from '../contracts/receipt.ts';
import type { LossCause } from '../contracts/run-measures.ts';
import type { RunTime } from '../contracts/run-time.ts';
import type { RunContext } from './run-context.ts';
import { type PlainChange, restartOf, wastedOf } from './run-measures.ts';
import { batchesBetween } from './run-progress.ts';

/** Seconds, each as far as the changes of a run tell. */
export interface SpentTime {
  queue: number;
  setUp: number;
  restarts: number;
  /** With an open session, whatever its trainer did. */
  inSession: number;
  paused: number;
  wrapUp: number;
  /** In the attempt to open a session that is under way: what it was shows once there is one. */
  acquiring: number;
  /** Before a host was given up it was not heard of for so long: it trained if it is found again, else nobody did. */
  silent?: number;
  /** The next session follows a failure. */
  isRestart: boolean;
  /** Where this run began to train. */
  from: Position | null;
  wasted: Partial<Record<LossCause, number>>;
  /** Carried on, so that what passes between two workflow runs counts, too. */
  until?: string;
}

export const noTime: SpentTime = {
  ...{ queue: 0, setUp: 0, restarts: 0, inSession: 0, paused: 0, wrapUp: 0, acquiring: 0 },
  ...{ isRestart: false, from: null, wasted: {} },
};

/** With what has passed since the change before, `since`. */
export function spend(spent: SpentTime, change: PlainChange, since: Date): SpentTime {
  const { before, after, from, to, now } = change;
  const restart = restartOf(before, after);
  const wasted = wastedOf(before, after, false);
  const next: SpentTime = {
    ...spent,
    isRestart: spent.isRestart || restart !== null,
    ...(wasted && { wasted: withWasted(spent.wasted, wasted) }),
  };
  // A clock may be set back.
  const seconds = from ? Math.max(0, (now.getTime() - since.getTime()) / 1000) : 0;
  if (from?.detail !== 'training.acquiring') {
    const cause = causeOf(from?.detail ?? '');
    if (cause === 'inSession' && restart === 'hostLost') return silenced(next, next.inSession + seconds, after);
    return cause ? { ...next, [cause]: next[cause] + seconds } : next;
  }
  const acquiring = next.acquiring + seconds;
  return to.detail === 'training.acquiring' ? { ...next, acquiring } : acquired({ ...next, acquiring }, change);
}

/** That is when its host is lost: after a heartbeat timeout, which may be long. */
function silenced(spent: SpentTime, inSession: number, { plan }: RunContext): SpentTime {
  const silent = Math.min(inSession, plan?.config.deadlines.heartbeatSeconds ?? 0);
  return { ...spent, inSession: inSession - silent, silent: (spent.silent ?? 0) + silent };
}

type PlainCause = 'restarts' | 'inSession' | 'paused' | 'wrapUp';

function causeOf(detail: string): PlainCause | null {
  if (detail === 'training.recovering') return 'restarts';
  if (detail === 'training.paused' || detail === 'training.pausing') return 'paused';
  if (detail === 'training.finishing' || detail.startsWith('stopping') || detail.startsWith('uploading'))
    return 'wrapUp';
  return detail.startsWith('training') ? 'inSession' : null;
}

/** A session was opened, or nobody waits for one any more. */
function acquired(spent: SpentTime, { before, after, now }: PlainChange): SpentTime {
  const { acquiring, silent = 0 } = spent;
  const { session } = after;
  const isOpen = session !== null && after.lastSession !== before.lastSession;
  if (!isOpen) {
    const cause = after.restarts !== before.restarts ? 'restarts' : 'queue';
    return { ...spent, acquiring: 0, [cause]: spent[cause] + acquiring };
  }
  const rest = { ...spent, acquiring: 0, silent: 0 };
  // One that is found again has trained on meanwhile, and was no restart.
  if (session.id === before.lastSession?.id)
    return { ...rest, isRestart: false, inSession: rest.inSession + silent + acquiring };
  // The host's clock is another one.
  const since = (now.getTime() - Date.parse(session.startedAt)) / 1000;
  const setUp = Math.min(acquiring, Math.max(0, since));
  const cause = spent.isRestart ? 'restarts' : 'setUp';
  rest.restarts += silent;
  return {
    ...rest,
    ...{ isRestart: false, from: spent.from ?? session.resumedFrom ?? { epoch: 0, batch: 0 } },
    queue: rest.queue + acquiring - setUp,
    [cause]: rest[cause] + setUp,
  };
}

const withWasted = (wasted: SpentTime['wasted'], { cause, batches }: { cause: LossCause; batches: number }) => ({
  ...wasted,
  [cause]: (wasted[cause] ?? 0) + batches,
});

/** Until `now`, which is after the change before. */
export function timeOf(
  spent: SpentTime,
  context: RunContext,
  { detail, since, now }: { detail: string; since: Date; now: Date },
): RunTime {
  const open = Math.max(0, (now.getTime() - since.getTime()) / 1000);
  const cause = detail === 'training.acquiring' ? 'queue' : causeOf(detail);
  const all = { ...spent, queue: spent.queue + spent.acquiring, restarts: spent.restarts + (spent.silent ?? 0) };
  if (cause) all[cause] += open;
  const { validation, saving, epochs = 0, lost = 0 } = context.inEpochs ?? { validation: 0, saving: 0 };
  const validated = Math.min(validation, all.inSession);
  const saved = Math.min(saving, all.inSession - validated);
  const trained = all.inSession - validated - saved;
  const trainedAgain = trained * shareWasted(spent, context);
  const validatedAgain = lost > 0 ? validated * Math.min(1, lost / Math.max(1, epochs)) : 0;
  return {
    ...{ queue: round(all.queue), setUp: round(all.setUp), restarts: round(all.restarts) },
    ...{ training: round(trained - trainedAgain), repeated: round(trainedAgain + validatedAgain) },
    validation: context.inEpochs ? round(validated - validatedAgain) : null,
    saving: context.inEpochs ? round(saved) : null,
    ...{ paused: round(all.paused), wrapUp: round(all.wrapUp) },
  };
}

/** Of the batches that this run has trained. What lies beyond its position is lost only once nobody trains on from there. */
function shareWasted({ from }: SpentTime, context: RunContext): number {
  const { position, reached, batchesPerEpoch, batchesWasted } = context;
  const wasted = batchesWasted + (context.session ? 0 : batchesBetween(position, reached, batchesPerEpoch));
  const result = batchesBetween(from ?? { epoch: 0, batch: 0 }, position, batchesPerEpoch);
  return wasted > 0 ? wasted / (wasted + result) : 0;
}

/** Of the receipt: batches that were trained again or given up, by what made them so. */
export function wastedBy(spent: SpentTime, context: RunContext): Record<string, number> {
  const last = wastedOf(context, context, true);
  return last ? withWasted(spent.wasted, last) : spent.wasted;
}

/** Follows a run from change to change. */
export class RunClock {
  /** Null where an older version carried the run on, which does not know what went before. */
  #spent: SpentTime | null = noTime;
  #since: Date;

  constructor(now: Date) {
    this.#since = now;
  }

  /** From a workflow run to the next. */
  get carried(): SpentTime | null {
    return this.#spent && { ...this.#spent, until: this.#since.toISOString() };
  }

  carryOn(spent: SpentTime | null | undefined): void {
    this.#spent = spent ?? null;
    if (spent?.until !== undefined) this.#since = new Date(spent.until);
  }

  note(change: PlainChange): void {
    this.#spent &&= spend(this.#spent, change, this.#since);
    this.#since = change.now;
  }

  /** Nothing where it is not known. */
  timeOf(context: RunContext, detail: string, now: Date): { time?: RunTime } {
    return this.#spent ? { time: timeOf(this.#spent, context, { detail, since: this.#since, now }) } : {};
  }

  tellIn(receipt: Receipt, context: RunContext, detail: string): Receipt {
    const batches = { ...receipt.batches, ...this.wastedBy(context) };
    return { ...receipt, batches, ...this.timeOf(context, detail, new Date(receipt.endedAt)) };
  }

  wastedBy(context: RunContext): { wastedBy?: Record<string, number> } {
    return this.#spent ? { wastedBy: wastedBy(this.#spent, context) } : {};
  }
}

const round = (seconds: number) => Math.round(seconds * 1000) / 1000;

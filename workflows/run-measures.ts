/** What a change of a run adds to what is counted of all runs. Pure. */
import type { Failure } from '../contracts/failure.ts';
import type { LossCause, RunMeasure } from '../contracts/run-measures.ts';
import type { RunContext } from './run-context.ts';
import { batchesBetween } from './run-progress.ts';
import { causeOf, outcomeOf } from './run-receipt.ts';
import type { ChartPosition } from './run-view.ts';

/** Of one transition. */
export interface PlainChange {
  before: RunContext;
  after: RunContext;
  from: ChartPosition | null;
  to: ChartPosition;
  now: Date;
}

interface Begun {
  /** The change before. */
  since: Date;
  /** When the run entered its state, which is several states of the chart. */
  stateSince: Date;
}

/** Null where there is nothing to count. */
export function measureOf(change: PlainChange, { since, stateSince }: Begun): RunMeasure | null {
  const { before, after, from, to, now } = change;
  const seconds = secondsBetween(since, now);
  const isEnd = to.state === 'stopped' && from?.state !== 'stopped';
  const measure: RunMeasure = {
    spent: from && seconds > 0 ? { state: from.detail, seconds } : null,
    epochs: epochsOf(before, after),
    restart: restartOf(before, after),
    wasted: wastedOf(before, after, isEnd),
    stopped:
      from?.state === 'stopping' && to.state !== 'stopping'
        ? { mode: after.stop?.mode ?? 'none', seconds: secondsBetween(stateSince, now) }
        : null,
    ended: isEnd && after.plan ? (after.receipt?.outcome ?? outcomeOf(after)) : null,
  };
  const { spent, epochs, restart, wasted, stopped, ended } = measure;
  return spent || epochs.count > 0 || restart || wasted || stopped || ended ? measure : null;
}

// A clock may be set back, and a counter never is.
const secondsBetween = (from: Date, to: Date) => Math.max(0, (to.getTime() - from.getTime()) / 1000);

function epochsOf(before: RunContext, after: RunContext): RunMeasure['epochs'] {
  // A session that begins further on has its epochs from another run, or from before.
  if (after.session !== null && after.session.id !== before.session?.id) return { count: 0, seconds: 0 };
  const { points } = after.curve;
  const done = points.filter(({ epoch }) => epoch > before.position.epoch && epoch <= after.position.epoch);
  return { count: done.length, seconds: done.reduce((sum, { seconds }) => sum + Math.max(0, seconds), 0) };
}

export function restartOf(before: RunContext, after: RunContext): LossCause | null {
  const restart = after.restarts.at(-1);
  // One that is taken back, for its session was found again, leaves the one before it as the last.
  if (!restart || after.restarts.length < before.restarts.length || restart === before.restarts.at(-1)) return null;
  return lossBy(restart);
}

const lossBy = ({ reason, failure }: { reason: string; failure: Failure | null }): LossCause =>
  reason === 'preemption' ? 'preemption' : (failure?.kind ?? 'other');

export function wastedOf(before: RunContext, after: RunContext, isEnd: boolean): RunMeasure['wasted'] {
  const again = Math.max(0, after.batchesWasted - before.batchesWasted);
  if (again > 0) {
    const restart = after.restarts.at(-1);
    return { cause: restart ? lossBy(restart) : 'other', batches: again };
  }
  if (!isEnd) return null;
  // What nobody will train again.
  const lost = batchesBetween(after.position, after.reached, after.batchesPerEpoch);
  const cause = causeOf(after);
  const named = cause.kind === 'failure' ? cause.failure.kind : cause.kind;
  return lost > 0 ? { cause: named, batches: lost } : null;
}

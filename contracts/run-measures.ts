/** What a run measures of itself, with each change, for whoever serves its workflow to count. It names neither run nor host. */
import type { FailureKind } from './failure.ts';
import type { Outcome, StopMode } from './receipt.ts';

/** Why training was begun again, or came to nothing. */
export type LossCause = 'preemption' | 'stop' | 'finished' | FailureKind;

export interface RunMeasure {
  /** Seconds since the change before, all of them in this state of the chart, e.g. `training.epoch`. */
  spent: { state: string; seconds: number } | null;
  /** Epochs that became complete, and how long they took to train. */
  epochs: { count: number; seconds: number };
  restart: LossCause | null;
  /** Batches that were trained and lost. */
  wasted: { cause: LossCause; batches: number } | null;
  /** Training was ended, and how long that took: `mode` as it was asked for, or `none` where nobody asked. */
  stopped: { mode: StopMode | 'none'; seconds: number } | null;
  ended: Outcome | null;
}

/** As Temporal's SDK has what a workflow tells the process that serves it: never while it is replayed. */
export type RunSinks = { runs: { measured(measure: RunMeasure): void } };

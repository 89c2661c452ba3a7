/** What a run remembers: the chart's context, as plain JSON, and its beginning. */
import type { Asked } from '../contracts/asked.ts';
import type { LedgerEntry, Metrics, Position } from '../contracts/checkpoint.ts';
import type { ConfigProblem, Failure } from '../contracts/failure.ts';
import type { ObservedBy } from '../contracts/observed-events.ts';
import type { EarlyEnd } from '../contracts/protocol.ts';
import type { Receipt, Restart, StopMode } from '../contracts/receipt.ts';
import type { Materials, SessionRecord } from '../contracts/receipt-facts.ts';
import type { Published } from '../contracts/run-activities.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import type { Configure } from '../contracts/run-messages.ts';
import type { Session } from '../contracts/session.ts';
import type { EpochParts } from './epoch-parts.ts';
import type { Best } from './ledger.ts';
import { emptyCurve, type MetricCurve } from './metric-curve.ts';

/** A checked configuration, and what the check found out. */
export interface Plan {
  config: RunConfig;
  best: Best;
  canShrinkBatch: boolean;
  outputFolder: string;
  /** Where its files are, on hosts and in the store. Plans of old have none: it is the run id. */
  place?: string | undefined;
  /** Who is told of the run's events. Plans of old have none. */
  observers?: readonly ObservedBy[] | undefined;
}

export interface RunContext {
  run: string;
  isDraft: boolean;
  draft: Configure;
  problems: ConfigProblem[];
  plan: Plan | null;

  /** The session that is open now. */
  session: Session | null;
  /** The last one that was: its host has the run folder. */
  lastSession: Session | null;
  /** Where the run folder is: of the last session, or of the last attempt to open one. */
  lastHost: string | null;
  /** The host of the last session gave the run away, and nobody has it yet. */
  handedOver: boolean;
  ledger: LedgerEntry[];
  /** Checkpoints that the retention pass has still to remove. */
  dropped: string[];
  /** Checkpoints that the keeper was asked to store, and has not answered for. Absent from what older versions carried on. */
  storing?: string[];
  position: Position;
  /** Furthest point that was trained, to count what is trained again. */
  reached: Position;
  /** It is where a host that was lost told to be last. */
  reachedAtLeast?: boolean | undefined;
  batchesPerEpoch: number;
  batchesWasted: number;
  /** Hosts that were lost had trained further than they had told. */
  wastedAtLeast?: boolean;
  /** Null where a trainer did not tell. Absent from what older versions carried on. */
  inEpochs?: EpochParts | null | undefined;
  metrics: Metrics;
  curve: MetricCurve;
  batchDivisor: number;
  /** Set after NaN with `rollBack`: resume from before this. */
  notAfter: Position | null;
  failuresInRow: number;
  /** Complete epochs when training failed, the most of any failure: only what lies beyond is progress. Absent from what older versions carried on. */
  failedAfter?: number;
  restarts: Omit<Restart, 'at'>[];
  notes: string[];
  /** Sessions that trained. Absent from what older versions carried on, which nobody adds to: not all would be there. */
  sessions?: SessionRecord[] | undefined;
  /** What the last session trained with, as far as hosts tell. */
  materials?: Materials | undefined;
  /** A new workflow run is due, at the next quiet moment. */
  renewalDue: boolean;
  pauseWanted: boolean;

  stop: { by: 'update' | 'cancel'; mode: StopMode; asked?: Asked } | null;
  /** Why training ended, when it ended by itself before its time. */
  failure: Failure | null;
  /** The trainer did all that it does after the last epoch. */
  finished: boolean;
  /** The trainer has decided to train no further. Absent from what older versions carried on. */
  endedEarly?: EarlyEnd | null;
  batchesAfterStop: number | null;
  processGroupGone: boolean | null;
  gpuMemoryReleased: boolean | null;

  published: Published | null;
  publishFailure: Failure | null;
  receipt: Receipt | null;
}

export interface RunInput {
  run: string;
  draft: Configure;
  isDraft: boolean;
}

/** `input` is undefined when xstate's `transition()` asks: it only wants the shape then. */
export function firstContext(input: RunInput | undefined): RunContext {
  return {
    run: input?.run ?? '',
    isDraft: input?.isDraft ?? false,
    draft: input?.draft ?? {},
    problems: [],
    plan: null,
    session: null,
    lastSession: null,
    lastHost: null,
    handedOver: false,
    ledger: [],
    dropped: [],
    storing: [],
    position: { epoch: 0, batch: 0 },
    reached: { epoch: 0, batch: 0 },
    batchesPerEpoch: 0,
    batchesWasted: 0,
    inEpochs: { validation: 0, saving: 0 },
    metrics: {},
    curve: emptyCurve,
    batchDivisor: 1,
    notAfter: null,
    failuresInRow: 0,
    failedAfter: 0,
    restarts: [],
    notes: [],
    sessions: [],
    renewalDue: false,
    pauseWanted: false,
    stop: null,
    failure: null,
    finished: false,
    endedEarly: null,
    batchesAfterStop: null,
    processGroupGone: null,
    gpuMemoryReleased: null,
    published: null,
    publishFailure: null,
    receipt: null,
  };
}

/** The plan of a run that trains. Asking before there is one is a defect. */
export function planOf(context: RunContext): Plan {
  if (!context.plan) throw new Error('a run without a plan cannot train');
  return context.plan;
}

/** Complete epochs after which none follows: as many as planned, or as the trainer itself wanted. */
export const lastEpochOf = (context: RunContext): number => context.endedEarly?.epoch ?? planOf(context).config.epochs;

export function sessionOf(context: RunContext): Session {
  if (!context.session) throw new Error('no session is open');
  return context.session;
}

/** What a run asks of workers: inputs and answers of its activities. Both ends are ours; failures carry `sessionFailure`. */
import { z } from 'zod';
import type { Origin } from './asked.ts';
import type { LedgerEntry, Position } from './checkpoint.ts';
import { positionSchema } from './checkpoint.ts';
import { dataSummarySchema } from './data-report.ts';
import { failureSchema } from './failure.ts';
import type { CheckedConfig, CheckQuestion } from './host-messages.ts';
import type { Owner } from './life.ts';
import { placeName } from './names.ts';
import type { ObservedEvent } from './observed-events.ts';
import type { EarlyEnd } from './protocol.ts';
import { publishedFileSchema, type Receipt, receiptSchema } from './receipt.ts';
import { materialsSchema, receiptFactsSchema } from './receipt-facts.ts';
import type { DraftConfig, RunConfig } from './run-config.ts';
import {
  type Session,
  type SessionEnd,
  type SessionName,
  type SessionReport,
  sessionReportSchema,
  sessionSchema,
} from './session.ts';
import { extensible } from './tolerance.ts';

/** What the workflow knows already, so that a report can leave it out. */
export interface Known {
  /** Complete epochs. */
  epoch: number;
  checkpoints: readonly string[];
}

export interface OpenSessionInput extends Owner {
  run: string;
  /** Is written into the run folder. */
  origin?: Origin | undefined;
  config: RunConfig;
  /** Checkpoints to go on from, by the ledger. */
  ledger: readonly LedgerEntry[];
  /** The session before: checkpoints that only its host knows of are trusted from it alone. */
  previous: Session | null;
  /** What the session is called that this opens, if it opens one. Workflows of old leave that to the host. */
  next?: SessionName;
  /** The run gave the session before up, and nobody saw it end: its host gives it back, also where it is over. Workflows of old do not tell. */
  unseen?: boolean;
  /** The host of the session before is going down: it is not asked first. */
  elsewhere: boolean;
  /** Go on from here or before: set when what came later must be given up (NaN). */
  notAfter: Position | null;
  batchDivisor: number;
  /** The trainer has decided to train no further; what follows its last epoch is still to be done. */
  endedEarly?: EarlyEnd | null;
  known: Known;
}

export const openedSessionSchema = extensible({
  session: sessionSchema,
  report: sessionReportSchema,
  /** It is the session before, which still runs: nothing is trained again. Answers of old have no such word. */
  attached: z.boolean().optional(),
  /** What it trains with. Answers of old, and of one that is attached, do not tell. */
  materials: materialsSchema.optional(),
});
export type OpenedSession = z.infer<typeof openedSessionSchema>;

export interface TrainEpochInput extends Owner {
  run: string;
  config: RunConfig;
  session: Session;
  /** 1-based epoch to wait for. */
  epoch: number;
  /** Last epoch that the trainer may train without asking again. */
  through: number;
  known: Known;
}

export interface KeepCheckpointsInput extends Owner {
  run: string;
  config: RunConfig;
  store: readonly LedgerEntry[];
  remove: readonly string[];
  /** What the host has beyond it is of no use once the newest of `store` is stored. Workflows of old do not tell. */
  known?: Known;
}

export const keptCheckpointsSchema = extensible({
  stored: z.array(z.string()),
  removed: z.array(z.string()),
  /** Checkpoints that were to be stored and are no longer whole on disk: put aside. Then nothing is removed. */
  damaged: z.array(z.string()),
  bytes: z.int().min(0),
});
export type KeptCheckpoints = z.infer<typeof keptCheckpointsSchema>;

/** Rungs of the ladder, gentlest first. */
export const stopRungs = ['finish', 'epoch', 'batch', 'terminate', 'kill'] as const;
export type StopRung = (typeof stopRungs)[number];

export interface StopTrainerInput extends Owner {
  run: string;
  config: RunConfig;
  session: Session;
  rung: StopRung;
  known: Known;
}

export interface PublishInput extends Owner {
  run: string;
  config: RunConfig;
  ledger: readonly LedgerEntry[];
  /** Checkpoints that the retention pass had still to remove. */
  dropped: readonly string[];
  /** Null: the host is gone; only what the store holds can be told. */
  host: string | null;
  /** All that is known before publishing; files and sizes are filled in here. */
  receipt: Receipt;
}

export const publishedSchema = extensible({
  checkpoints: receiptSchema.shape.checkpoints,
  files: z.array(publishedFileSchema),
  bytes: z.int().min(0),
  /** Checkpoints of the ledger that neither the store nor the host has whole. */
  lost: z.array(z.string()),
  /** Checkpoints that this host has put aside as damaged; older workers do not tell. */
  damaged: z.array(z.string()).optional(),
  /** What people should know of it, for the receipt; older workers do not tell. */
  notes: z.array(z.string()).optional(),
  /** What was trained on, from the run's data report; older workers do not tell. */
  data: dataSummarySchema.nullable().optional(),
  /** For the receipt; older workers do not tell. */
  facts: receiptFactsSchema.optional(),
  /** The host that published; null when it did not answer, and the pool did from what the store holds. */
  host: z.string().nullable(),
});
export type Published = z.infer<typeof publishedSchema>;

export interface CleanUpInput extends Owner {
  run: string;
  config: RunConfig;
  host: string | null;
  /** Null: everything is in the store, so the run folder may go. Else: why it has to stay. */
  keep: string | null;
  receipt: Receipt;
}

/** For a life that found another one's files at its place: what it goes on from is brought to a place of its own. */
export interface MoveInInput extends Owner {
  run: string;
  config: RunConfig;
  /** Checkpoints that the history of this life knows. */
  ledger: readonly LedgerEntry[];
  /** Complete epochs, by the same history. */
  epochs: number;
  host: string | null;
}

export const movedInSchema = extensible({
  place: placeName,
  outputFolder: z.string(),
  /** Where the other life's files are. */
  before: z.string(),
  /** Checkpoints of the ledger that are in the store at the new place now, verified. */
  brought: z.array(z.string()),
  /** No trainer of the other life is alive; null where nobody could ask its host. */
  processGroupGone: z.boolean().nullable(),
});
export type MovedIn = z.infer<typeof movedInSchema>;

/** Brings events to an observer, in order. Those that it has already change nothing. */
export interface TellObserverInput extends Owner {
  run: string;
  config: RunConfig;
  /** Null: all that the pool has. */
  observer: string | null;
  /** Of all: those that cannot be told now are named, and nobody is told twice. Workers of old try all of them again. */
  namesFailed?: true;
  events: readonly ObservedEvent[];
}

/** `told`: the number of the last event that the observer has; `failed`: of all observers, those that do not have it, where they are to be named. */
export const toldSchema = extensible({ told: z.int().min(1), failed: z.array(z.string()).optional() });
export type TellObserverAnswer = z.infer<typeof toldSchema>;

/** An input as the chart makes it: whose it is, is added for all of them where they are sent. */
export type Unowned<Input> = Omit<Input, keyof Owner>;

/** Details of an application failure `SessionFailed`: the session is over, and this is what it left. */
export const sessionFailureSchema = extensible({
  failure: failureSchema.nullable(),
  /** The host asked for it (a drain): no failure, and another host may go on at once. */
  preempted: z.boolean(),
  report: sessionReportSchema.nullable(),
  /** Furthest point that was trained, checkpointed or not. */
  reached: positionSchema.nullable(),
  /** Batches of an epoch, by its trainer's progress: that of the first epoch may be lost before its report. */
  batchesPerEpoch: z.int().min(0).optional(),
  gpuMemoryReleased: z.boolean().nullable().optional(),
  /** Its host has seen it end, whatever the failure: nobody has to go back there for it. Older workers do not tell. */
  isOver: z.boolean().optional(),
  /** Where it was, when no session came of it: that host has the log. */
  host: z.string().optional(),
});
export type SessionFailure = z.infer<typeof sessionFailureSchema>;
export const sessionFailedType = 'SessionFailed';
/** Failure type of `openSession`: ask again, here or elsewhere. */
export const noFreeSlotType = 'NoFreeSlot';

/** Signal to a run from a restarted worker: the session, by its id, died with the worker before. */
export const sessionLostSignal = 'sessionLost';
/** The same: the session is here, trains or has ended since, and whoever was asking the worker before asks this one. */
export const sessionFoundSignal = 'sessionFound';
/** What both of them name. */
export const signalledSessionSchema = sessionSchema.shape.id;

export interface RunActivities {
  /** With `chain`, for a run that begins: its output folder is claimed. */
  checkConfig(config: DraftConfig, chain?: readonly string[] | null, options?: CheckQuestion): Promise<CheckedConfig>;
  moveIn(input: MoveInInput): Promise<MovedIn>;
  openSession(input: OpenSessionInput): Promise<OpenedSession>;
  trainEpoch(input: TrainEpochInput): Promise<SessionReport>;
  keepCheckpoints(input: KeepCheckpointsInput): Promise<KeptCheckpoints>;
  stopTrainer(input: StopTrainerInput): Promise<SessionEnd>;
  publish(input: PublishInput): Promise<Published>;
  cleanUp(input: CleanUpInput): Promise<Receipt>;
  tellObserver(input: TellObserverInput): Promise<TellObserverAnswer>;
}

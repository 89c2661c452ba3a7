/** What the run chart can ask for, notice and wait for; `run-chart.ts` says when. */
import { assign, fromPromise, setup } from 'xstate';
import type { Asked } from '../contracts/asked.ts';
import { endsTraining, isForAnotherHost } from '../contracts/failure.ts';
import type { CheckedConfig } from '../contracts/host-messages.ts';
import type { Receipt, StopMode } from '../contracts/receipt.ts';
import type {
  KeepCheckpointsInput,
  KeptCheckpoints,
  MovedIn,
  OpenedSession,
  OpenSessionInput,
  Published,
  StopTrainerInput,
  TrainEpochInput,
  Unowned,
} from '../contracts/run-activities.ts';
import type { Configure } from '../contracts/run-messages.ts';
import type { SessionEnd, SessionReport } from '../contracts/session.ts';
import { toStore } from './keeper-progress.ts';
import { lastEpochOf, planOf, type RunContext, type RunInput } from './run-context.ts';
import { adoptFailure, adoptMove } from './run-progress.ts';
import { isHostTrouble, isUnexpected } from './session-failures.ts';

export type RunChartEvent =
  | { type: 'CONFIGURE'; draft: Configure }
  | { type: 'TRAIN' }
  | { type: 'STOP'; by: 'update' | 'cancel'; mode: StopMode; asked?: Asked | undefined }
  | { type: 'PAUSE'; asked?: Asked | undefined }
  | { type: 'RESUME'; asked?: Asked | undefined }
  /** A restarted worker says that this session died with the worker before. */
  | { type: 'SESSION_LOST'; session: string }
  /** A restarted worker has taken this session up: whoever asks the worker before asks in vain. */
  | { type: 'SESSION_FOUND'; session: string }
  /** This life found another one's files at its place, and has one of its own now. */
  | { type: 'MOVED'; moved: MovedIn }
  /** The workflow's history is long: a new run of it is due at the next quiet moment. */
  | { type: 'RENEWAL_DUE' }
  | { type: 'RENEWED' };

/** Children are activities; `durable.ts` runs them, never xstate. */
const activity = <Output, Input>() =>
  fromPromise<Output, Input>(async () => {
    throw new Error('performed by durable.ts, never here');
  });

/** What the workflow knows already, so that a report tells the rest. */
export const known = (context: RunContext) => ({
  epoch: context.position.epoch,
  checkpoints: context.ledger.map(({ name }) => name),
});

const seconds = (value: number) => value * 1000;
const deadlines = (context: RunContext) => planOf(context).config.deadlines;

/**
 * A run waits for a host that has its store, and its container, for as long as it takes, ever less often: 2 s to 10 minutes, in milliseconds.
 * Each attempt adds to its history.
 */
function anotherHostWait({ restarts }: RunContext): number {
  const before = restarts.findLastIndex(({ failure }) => !isForAnotherHost(failure));
  return seconds(Math.min(600, 2 ** (restarts.length - 1 - before)));
}

const signalledSession = (event: RunChartEvent): string | null =>
  event.type === 'SESSION_LOST' || event.type === 'SESSION_FOUND' ? event.session : null;

export const chartSetup = setup({
  types: {} as { context: RunContext; events: RunChartEvent; input: RunInput },
  actors: {
    checkConfig: activity<CheckedConfig, Configure>(),
    openSession: activity<OpenedSession, Unowned<OpenSessionInput>>(),
    trainEpoch: activity<SessionReport, Unowned<TrainEpochInput>>(),
    keepCheckpoints: activity<KeptCheckpoints, Unowned<KeepCheckpointsInput>>(),
    stopTrainer: activity<SessionEnd, Unowned<StopTrainerInput>>(),
    publish: activity<Published, null>(),
    cleanUp: activity<Receipt, null>(),
  },
  actions: {
    /** Performed by durable.ts: asks the child to end and waits for its answer. */
    cancelChild: (_, _params: { id: string }) => undefined,
    /** Whoever stops a run that looks for another host ends it: what that host did is no failure of the training. */
    rememberStop: assign(({ context, event }) =>
      event.type === 'STOP'
        ? {
            stop: { by: event.by, mode: event.mode, ...(event.asked ? { asked: event.asked } : {}) },
            pauseWanted: false,
            failure: isHostTrouble(context.failure) ? null : context.failure,
          }
        : {},
    ),
    hang: assign({ failure: { kind: 'hang', message: 'the trainer did not exit in time after its last epoch' } }),
    wantPause: assign({ pauseWanted: true }),
    wantTraining: assign({ pauseWanted: false }),
    wantRenewal: assign({ renewalDue: true }),
    renewed: assign({ renewalDue: false }),
    move: assign(({ context, event }) => (event.type === 'MOVED' ? adoptMove(context, event.moved) : {})),
    loseSession: assign(({ context }) =>
      adoptFailure(context, {
        failure: { kind: 'workerLost', message: 'the worker was restarted; its trainer checkpointed and exited' },
        preempted: false,
        report: null,
        reached: null,
      }),
    ),
  },
  guards: {
    isDraft: ({ context }) => context.isDraft,
    stopWanted: ({ context }) => context.stop !== null,
    pauseWanted: ({ context }) => context.pauseWanted,
    renewalDue: ({ context }) => context.renewalDue,
    finished: ({ context }) => context.finished,
    allTrained: ({ context }) => context.position.epoch >= lastEpochOf(context),
    failed: ({ context }) => context.failure !== null,
    givenUp: ({ context }) => {
      const { failure, failuresInRow } = context;
      if (!failure) return false;
      const { failures } = planOf(context).config;
      return endsTraining(failure, failures) || failuresInRow > failures.restarts;
    },
    mayGoOnAtOnce: ({ context }) => isHostTrouble(context.failure),
    asksForNow: ({ event }) => event.type === 'STOP' && event.mode === 'now',
    hasSession: ({ context }) => context.session !== null,
    wantsNow: ({ context }) => context.stop?.mode === 'now',
    wantsEpochEnd: ({ context }) => context.stop?.mode === 'epoch',
    isOpenSession: ({ context, event }) => signalledSession(event) === context.session?.id,
    /** The one that the run would find again, if it asked that host first. */
    isLastSession: ({ context, event }) =>
      signalledSession(event) === context.lastSession?.id && !context.handedOver && context.notAfter === null,
    /** The trainer is still there, whoever was to ask it. */
    isUnexpected: (_, { error }: { error: unknown }) => isUnexpected(error),
    hasKeeping: ({ context }) => !context.renewalDue && (context.dropped.length > 0 || toStore(context).length > 0),
  },
  delays: {
    backoff: ({ context }) => {
      if (isForAnotherHost(context.failure)) return anotherHostWait(context);
      const { backoffSeconds, maxBackoffSeconds } = planOf(context).config.failures;
      return seconds(Math.min(maxBackoffSeconds, backoffSeconds * 2 ** Math.max(0, context.failuresInRow - 1)));
    },
    keeperPause: 5_000,
    finishDeadline: ({ context }) => seconds(deadlines(context).finishSeconds),
    stopDeadline: ({ context }) => seconds(deadlines(context).stopSeconds),
    terminateDeadline: ({ context }) => seconds(deadlines(context).terminateSeconds),
  },
});

/**
 * The life of a training run, as a chart of five states. Pure: `durable.ts` performs what it asks for.
 *
 *   configuring → training → stopping → uploading → stopped
 *
 * Whatever ends a training leaves `training` by `stopping` and `uploading`; there is no other way to `stopped`.
 */
import { and, assign, not, stateIn } from 'xstate';
import { chartSetup, known } from './chart-setup.ts';
import { keeper } from './keeper.ts';
import { firstContext, planOf, sessionOf } from './run-context.ts';
import {
  adoptAttempt,
  adoptEnd,
  adoptFailure,
  adoptPublished,
  adoptReport,
  adoptSession,
  adoptUnfinished,
} from './run-progress.ts';
import { failureOf, sessionFailureOf } from './session-failures.ts';
import { asking, climbOnStop, rungs } from './stop-ladder.ts';

const configuring = chartSetup.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: { always: [{ guard: 'isDraft', target: 'draft' }, { target: 'validating' }] },
    draft: {
      on: {
        CONFIGURE: { actions: assign(({ event }) => ({ draft: event.draft, problems: [] })) },
        TRAIN: 'validating',
      },
    },
    validating: {
      invoke: {
        id: 'checkConfig',
        src: 'checkConfig',
        input: ({ context }) => context.draft,
        onDone: [
          {
            guard: ({ event }) => event.output.ok,
            target: '#run.training',
            actions: assign(({ event }) => {
              const checked = event.output;
              if (!checked.ok) return {};
              const { ok: _, ...plan } = checked;
              return { plan, problems: [] };
            }),
          },
          {
            guard: 'isDraft',
            target: 'draft',
            actions: assign(({ event }) => ({ problems: event.output.ok ? [] : event.output.problems })),
          },
          {
            target: '#run.stopped',
            actions: assign(({ event }) => ({ problems: event.output.ok ? [] : event.output.problems })),
          },
        ],
        onError: [
          {
            guard: 'isDraft',
            target: 'draft',
            actions: assign(({ event }) => ({
              problems: [{ field: '', value: 'not checked', message: failureOf(event.error).message }],
            })),
          },
          {
            target: '#run.stopped',
            actions: assign(({ event }) => ({ failure: failureOf(event.error) })),
          },
        ],
      },
    },
  },
  on: { STOP: { target: '#run.stopped', actions: 'rememberStop' } },
});

const sessions = chartSetup.createStateConfig({
  initial: 'acquiring',
  /** The session that it knew was another life's. Who does not train now does not begin by it. */
  on: {
    MOVED: [
      { guard: 'pauseWanted', target: '.paused', actions: 'move' },
      { target: '.deciding', actions: 'move' },
    ],
  },
  states: {
    /** Waits for a GPU slot, then for the trainer to be ready. Leaving this state cancels the pending open. */
    acquiring: {
      initial: 'waiting',
      invoke: {
        id: 'openSession',
        src: 'openSession',
        input: ({ context }) => ({
          run: context.run,
          config: planOf(context).config,
          ledger: context.ledger,
          previous: context.lastSession,
          unseen: context.session !== null,
          elsewhere: context.handedOver,
          notAfter: context.notAfter,
          batchDivisor: context.batchDivisor,
          endedEarly: context.endedEarly ?? null,
          known: known(context),
        }),
        onDone: {
          target: 'deciding',
          actions: [assign(({ context, event }) => adoptSession(context, event.output)), assign({ failure: null })],
        },
        onError: [
          { guard: 'stopWanted', target: '#run.stopping' },
          { guard: 'pauseWanted', target: 'paused' },
          { guard: stateIn('#returning'), target: 'acquiring', reenter: true },
          {
            target: 'deciding',
            actions: assign(({ context, event }) => adoptAttempt(context, sessionFailureOf(event.error))),
          },
        ],
      },
      states: {
        waiting: {
          on: {
            STOP: { target: 'withdrawing', actions: 'rememberStop' },
            PAUSE: { target: 'withdrawing', actions: 'wantPause' },
            SESSION_FOUND: { guard: 'isLastSession', target: 'returning' },
          },
        },
        /** The session that it gave up is there: no other host is waited for any more, and its own is asked again. */
        returning: {
          id: 'returning',
          entry: { type: 'cancelChild', params: { id: 'openSession' } },
          on: {
            STOP: { target: 'withdrawing', actions: 'rememberStop' },
            PAUSE: { target: 'withdrawing', actions: 'wantPause' },
          },
        },
        withdrawing: {
          entry: { type: 'cancelChild', params: { id: 'openSession' } },
          on: { STOP: { actions: 'rememberStop' } },
        },
      },
    },
    /** Where to go from here, by what is remembered. */
    deciding: {
      always: [
        { guard: 'stopWanted', target: '#run.stopping' },
        { guard: 'givenUp', target: '#run.stopping' },
        { guard: and(['failed', 'pauseWanted']), target: 'paused' },
        { guard: and(['failed', 'mayGoOnAtOnce']), target: 'acquiring' },
        { guard: 'failed', target: 'recovering' },
        { guard: not('hasSession'), target: 'acquiring' },
        { guard: 'pauseWanted', target: 'pausing' },
        { guard: 'allTrained', target: 'finishing' },
        { guard: 'renewalDue', target: 'renewing' },
        { target: 'epoch' },
      ],
    },
    epoch: {
      invoke: {
        id: 'trainEpoch',
        src: 'trainEpoch',
        input: ({ context }) => {
          const { config } = planOf(context);
          const epoch = context.position.epoch + 1;
          return {
            run: context.run,
            config,
            session: sessionOf(context),
            epoch,
            // One ahead, so that the trainer never waits for the round trip between two epochs.
            through: Math.min(config.epochs, epoch + 1),
            known: known(context),
          };
        },
        onDone: {
          target: 'deciding',
          actions: assign(({ context, event }) => adoptReport(context, event.output, sessionOf(context).host)),
        },
        onError: {
          target: 'deciding',
          actions: assign(({ context, event }) => adoptFailure(context, sessionFailureOf(event.error))),
        },
      },
      on: {
        STOP: { target: '#run.stopping', actions: 'rememberStop' },
        PAUSE: { target: 'pausing', actions: 'wantPause' },
        SESSION_LOST: { guard: 'isOpenSession', target: 'deciding', actions: 'loseSession' },
        SESSION_FOUND: { guard: 'isOpenSession', target: 'epoch', reenter: true },
      },
    },
    /**
     * What the trainer does after its last epoch: an export, a last evaluation. It is part of the training, and done
     * again where it was interrupted.
     */
    finishing: {
      invoke: {
        id: 'stopTrainer',
        src: 'stopTrainer',
        input: asking('finish'),
        onDone: [
          {
            guard: ({ event }) => event.output.finished && event.output.failure === null,
            target: '#run.stopping',
            actions: assign(({ context, event }) => adoptEnd(context, event.output)),
          },
          {
            target: 'deciding',
            actions: assign(({ context, event }) => adoptUnfinished(context, event.output)),
          },
        ],
        onError: {
          target: 'deciding',
          actions: assign(({ context, event }) => adoptFailure(context, sessionFailureOf(event.error))),
        },
      },
      after: { finishDeadline: { target: '#run.stopping', actions: 'hang' } },
      on: {
        STOP: [
          { guard: 'asksForNow', target: '#run.stopping.terminate', actions: 'rememberStop' },
          { target: '#run.stopping.batch', actions: 'rememberStop' },
        ],
        PAUSE: { target: 'pausing', actions: 'wantPause' },
        SESSION_LOST: { guard: 'isOpenSession', target: 'deciding', actions: 'loseSession' },
        SESSION_FOUND: { guard: 'isOpenSession', target: 'finishing', reenter: true },
      },
    },
    recovering: {
      after: { backoff: 'acquiring' },
      on: {
        MOVED: { actions: 'move' },
        STOP: { target: '#run.stopping', actions: 'rememberStop' },
        PAUSE: { target: 'paused', actions: 'wantPause' },
      },
    },
    /** Quiet, so that the workflow can go on in a new run with a short history. */
    renewing: {
      on: {
        MOVED: { target: 'deciding', actions: 'move' },
        RENEWED: { target: 'deciding', actions: 'renewed' },
        STOP: { target: '#run.stopping', actions: 'rememberStop' },
        PAUSE: { target: 'pausing', actions: 'wantPause' },
      },
    },
    /** Checkpoints at the batch boundary and gives the GPU back. A stop climbs its ladder in `stopping`. */
    pausing: {
      initial: 'batch',
      states: { batch: rungs.batch, terminate: rungs.terminate, kill: rungs.kill, ended: { type: 'final' } },
      on: {
        STOP: { target: '#run.stopping', actions: 'rememberStop' },
        MOVED: { target: 'paused', actions: 'move' },
      },
      onDone: [{ guard: 'finished', target: '#run.stopping' }, { target: 'paused' }],
    },
    paused: {
      entry: assign({ failure: null }),
      on: {
        MOVED: { actions: 'move' },
        RESUME: { target: 'acquiring', actions: 'wantTraining' },
        STOP: { target: '#run.stopping', actions: 'rememberStop' },
      },
    },
  },
});

const stopping = chartSetup.createStateConfig({
  initial: 'choosing',
  states: {
    choosing: {
      always: [
        { guard: not('hasSession'), target: 'ended' },
        { guard: 'wantsNow', target: 'terminate' },
        { guard: 'wantsEpochEnd', target: 'epoch' },
        { target: 'batch' },
      ],
    },
    epoch: { ...rungs.epoch, ...climbOnStop('batch') },
    batch: { ...rungs.batch, ...climbOnStop('terminate') },
    terminate: { ...rungs.terminate, on: { STOP: { target: 'kill', actions: 'rememberStop' } } },
    kill: rungs.kill,
    ended: { type: 'final' },
  },
  on: { MOVED: { target: '.choosing', actions: 'move' } },
  onDone: 'uploading',
});

const uploading = chartSetup.createStateConfig({
  initial: 'publishing',
  states: {
    publishing: {
      invoke: {
        id: 'publish',
        src: 'publish',
        input: null,
        onDone: {
          target: 'cleaningUp',
          actions: assign(({ context, event }) => adoptPublished(context, event.output)),
        },
        onError: {
          target: 'cleaningUp',
          actions: assign(({ event }) => ({ publishFailure: failureOf(event.error) })),
        },
      },
    },
    cleaningUp: {
      invoke: {
        id: 'cleanUp',
        src: 'cleanUp',
        input: null,
        onDone: { target: '#run.stopped', actions: assign(({ event }) => ({ receipt: event.output })) },
        onError: '#run.stopped',
      },
    },
  },
  on: { MOVED: { target: '.publishing', reenter: true, actions: 'move' } },
});

export const runChart = chartSetup.createMachine({
  id: 'run',
  context: ({ input }) => firstContext(input),
  initial: 'configuring',
  states: {
    configuring,
    training: { type: 'parallel', states: { sessions, keeper } },
    stopping,
    uploading,
    stopped: { type: 'final' },
  },
  on: { RENEWAL_DUE: { actions: 'wantRenewal' } },
});

export type RunChart = typeof runChart;

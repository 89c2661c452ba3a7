/** The region of the run's chart beside its sessions: what is stored and removed while the next epoch trains. */
import { assign } from 'xstate';
import { chartSetup, known } from './chart-setup.ts';
import { adoptKeeperFailure, adoptKept, toRemove, toStore } from './keeper-progress.ts';
import { planOf } from './run-context.ts';

/** Stores what the ledger chose while the next epoch trains, and removes what it dropped. */
export const keeper = chartSetup.createStateConfig({
  initial: 'idle',
  states: {
    idle: { always: { guard: 'hasKeeping', target: 'keeping' } },
    keeping: {
      entry: assign(({ context }) => ({ storing: toStore(context).map(({ name }) => name) })),
      invoke: {
        id: 'keepCheckpoints',
        src: 'keepCheckpoints',
        input: ({ context }) => ({
          run: context.run,
          config: planOf(context).config,
          store: toStore(context),
          remove: toRemove(context),
          known: known(context),
        }),
        onDone: {
          target: 'idle',
          actions: assign(({ context, event }) => adoptKept(context, event.output)),
        },
        onError: { target: 'waiting', actions: assign(({ context }) => adoptKeeperFailure(context)) },
      },
      on: {
        MOVED: 'idle',
        // The worker that stored them has gone: the one after it begins anew, and nobody waits for a missed heartbeat.
        SESSION_LOST: {
          guard: 'isOpenSession',
          target: 'idle',
          actions: assign(({ context }) => adoptKeeperFailure(context)),
        },
        SESSION_FOUND: {
          guard: 'isOpenSession',
          target: 'idle',
          actions: assign(({ context }) => adoptKeeperFailure(context)),
        },
      },
    },
    waiting: { after: { keeperPause: 'idle' } },
  },
});

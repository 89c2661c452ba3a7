/**
 * Tells one observer what it has not been told yet, as a chart beside that of the run: whatever becomes of the observer, the training does
 * not wait for it. Pure: `durable.ts` performs what it asks for.
 */
import { assign, fromPromise, setup } from 'xstate';

/** Between two deliveries, in milliseconds: a run of short epochs has much to tell, and each delivery is an activity. */
const pace = 10_000;

export interface TellerContext {
  observer: string;
  /** There is something that it has not been told. */
  hasNews: boolean;
  /** The run is over: what is left is told at once, or never. */
  isEnding: boolean;
}

type TellerEvent = { type: 'NEWS' } | { type: 'ENDING' } | { type: 'RENEWING' };

export const tellerChart = setup({
  types: {} as { context: TellerContext; events: TellerEvent; input: { observer: string } },
  actors: {
    tellObserver: fromPromise<{ hasNews: boolean }, { observer: string }>(async () => {
      throw new Error('performed by durable.ts, never here');
    }),
  },
  guards: {
    hasNews: ({ context }) => context.hasNews,
    isEnding: ({ context }) => context.isEnding,
  },
  delays: { pace },
}).createMachine({
  id: 'teller',
  context: ({ input }) => ({ observer: input?.observer ?? '', hasNews: false, isEnding: false }),
  initial: 'idle',
  states: {
    idle: {
      always: [
        { guard: 'hasNews', target: 'telling' },
        { guard: 'isEnding', target: 'over' },
      ],
    },
    telling: {
      entry: assign({ hasNews: false }),
      invoke: {
        id: 'tellObserver',
        src: 'tellObserver',
        input: ({ context }) => ({ observer: context.observer }),
        onDone: [
          { guard: 'isEnding', target: 'idle', actions: assign(({ event }) => ({ hasNews: event.output.hasNews })) },
          { target: 'resting', actions: assign(({ event }) => ({ hasNews: event.output.hasNews })) },
        ],
        // It was tried for as long as there was time.
        onError: [
          { guard: 'isEnding', target: 'over' },
          { target: 'resting', actions: assign({ hasNews: true }) },
        ],
      },
    },
    resting: {
      after: { pace: 'idle' },
      always: { guard: 'isEnding', target: 'idle' },
    },
    /** The workflow goes on in a new run, with a new teller: what this one was telling is told again. */
    hushed: {},
    over: { type: 'final' },
  },
  on: {
    NEWS: { actions: assign({ hasNews: true }) },
    ENDING: { actions: assign({ isEnding: true }) },
    RENEWING: '.hushed',
  },
});

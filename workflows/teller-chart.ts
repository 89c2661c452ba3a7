/**
 * Tells one observer what it has not been told yet, as a chart beside that of the run: whatever becomes of the observer, the training does
 * not wait for it. Pure: `durable.ts` performs what it asks for.
 */
import { assign, fromPromise, setup } from 'xstate';

/** Between two deliveries, in milliseconds: a run of short epochs has much to tell, and each delivery is an activity. */
const shortestRest = 10_000;
/** The same after one that failed, again and again: a history has an end, and an observer may be unavailable for days. */
const longestRest = 3_600_000;
/** At the end of the run, for what is under way: it may be waiting for its next attempt, and what is left is more than it had. */
const grace = 3_000;

export interface TellerContext {
  observer: string;
  /** There is something that it has not been told. */
  hasNews: boolean;
  /** The run is over: what is left is told at once, or never. */
  isEnding: boolean;
  /** Deliveries in a row that were given up. */
  failures: number;
}

type TellerEvent = { type: 'NEWS' } | { type: 'ENDING' } | { type: 'RENEWING' };

export interface Delivery {
  observer: string;
  /** There is no other one after it. */
  isLast: boolean;
}

export const tellerChart = setup({
  types: {} as { context: TellerContext; events: TellerEvent; input: { observer: string } },
  actors: {
    tellObserver: fromPromise<{ hasNews: boolean }, Delivery>(async () => {
      throw new Error('performed by durable.ts, never here');
    }),
  },
  guards: {
    hasNews: ({ context }) => context.hasNews,
    isEnding: ({ context }) => context.isEnding,
    hasLastNews: ({ context }) => context.hasNews && context.isEnding,
  },
  delays: {
    grace,
    rest: ({ context }) => Math.min(longestRest, shortestRest * 2 ** Math.min(context.failures, 20)),
  },
}).createMachine({
  id: 'teller',
  context: ({ input }) => ({ observer: input?.observer ?? '', hasNews: false, isEnding: false, failures: 0 }),
  initial: 'idle',
  states: {
    idle: {
      always: [
        { guard: 'hasLastNews', target: 'tellingTheRest' },
        { guard: 'hasNews', target: 'telling' },
        { guard: 'isEnding', target: 'over' },
      ],
    },
    telling: {
      entry: assign({ hasNews: false }),
      invoke: {
        id: 'tellObserver',
        src: 'tellObserver',
        input: ({ context }) => ({ observer: context.observer, isLast: false }),
        onDone: {
          target: 'resting',
          actions: assign(({ context, event }) => ({
            hasNews: context.hasNews || event.output.hasNews,
            failures: 0,
          })),
        },
        // It was tried for as long as there was time.
        onError: {
          target: 'resting',
          actions: assign(({ context }) => ({ hasNews: true, failures: context.failures + 1 })),
        },
      },
      initial: 'patient',
      states: {
        patient: { always: { guard: 'isEnding', target: 'hurried' } },
        hurried: { after: { grace: { target: '#teller.idle', actions: assign({ hasNews: true }) } } },
      },
    },
    tellingTheRest: {
      entry: assign({ hasNews: false }),
      invoke: {
        id: 'tellTheRest',
        src: 'tellObserver',
        input: ({ context }) => ({ observer: context.observer, isLast: true }),
        onDone: {
          target: 'idle',
          actions: assign(({ context, event }) => ({ hasNews: context.hasNews || event.output.hasNews })),
        },
        onError: 'over',
      },
    },
    resting: {
      always: { guard: 'isEnding', target: 'idle' },
      after: { rest: 'idle' },
    },
    /** The workflow continues in a new run, with a new teller: what this one was telling is told again. */
    hushed: {},
    over: { type: 'final' },
  },
  on: {
    NEWS: { actions: assign({ hasNews: true }) },
    ENDING: { actions: assign({ isEnding: true }) },
    RENEWING: '.hushed',
  },
});

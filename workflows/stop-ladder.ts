/** The ladder by which a trainer is ended, gentlest rung first, as states of the run chart. */
import { assign } from 'xstate';
import type { StopRung, StopTrainerInput, Unowned } from '../contracts/run-activities.ts';
import { chartSetup, known } from './chart-setup.ts';
import { planOf, type RunContext, sessionOf } from './run-context.ts';
import { adoptEnd } from './run-progress.ts';

/** Asks the trainer to end in the way of this rung of the ladder. */
export const asking =
  (rung: StopRung) =>
  ({ context }: { context: RunContext }): Unowned<StopTrainerInput> => ({
    run: context.run,
    config: planOf(context).config,
    session: sessionOf(context),
    rung,
    known: known(context),
  });

/** One rung: the next one follows when its deadline passes, and where the trainer could not be asked. */
const rung = (name: StopRung, next?: StopRung, deadline?: DeadlineName) =>
  chartSetup.createStateConfig({
    invoke: {
      id: 'stopTrainer',
      src: 'stopTrainer',
      input: asking(name),
      onDone: { target: 'ended', actions: assign(({ context, event }) => adoptEnd(context, event.output)) },
      onError: [
        ...(next ? [{ guard: unexpected, target: next }] : []),
        { target: 'ended', actions: assign({ session: null, processGroupGone: null }) },
      ],
    },
    after: deadline && next ? { [deadline]: next } : {},
  });
const unexpected = {
  type: 'isUnexpected' as const,
  params: ({ event }: { event: { error: unknown } }) => ({ error: event.error }),
};
type DeadlineName = 'stopDeadline' | 'terminateDeadline';

/** A stop while it stops already goes one rung up at once; `now` goes past the polite ones. */
export const climbOnStop = (next: 'batch' | 'terminate') => ({
  on: {
    STOP: [
      { guard: 'asksForNow' as const, target: 'terminate', actions: 'rememberStop' as const },
      { target: next, actions: 'rememberStop' as const },
    ],
  },
});

export const rungs = {
  epoch: rung('epoch', 'batch'),
  batch: rung('batch', 'terminate', 'stopDeadline'),
  terminate: rung('terminate', 'kill', 'terminateDeadline'),
  kill: rung('kill'),
};

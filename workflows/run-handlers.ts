/** What a run answers while it lives: its query, the signals of restarted workers, and the updates that people send. */
import * as wf from '@temporalio/workflow';
import { type Asked, askedSchema } from '../contracts/asked.ts';
import { sessionFoundSignal, sessionLostSignal, signalledSessionSchema } from '../contracts/run-activities.ts';
import {
  type Configure,
  configureSchema,
  type RunView,
  runQuery,
  type StopRequest,
  stopRequestSchema,
  updateNames,
} from '../contracts/run-messages.ts';
import { draftProblems, mergeDraft } from './draft.ts';
import type { DurableChart } from './durable.ts';
import { invalid, parse, wrongState } from './refusals.ts';
import type { runChart } from './run-chart.ts';
import { chartPosition } from './run-view.ts';

/** Whose messages these are. */
export interface AnsweringRun {
  run: string;
  chart: DurableChart<typeof runChart>;
  view: () => RunView;
  /** Among the run's events. */
  tell: (message: string) => void;
}

/** Each handler sends the chart an event, and answers with the view that follows. */
export function answerMessages({ run, chart, view, tell }: AnsweringRun): void {
  const context = () => chart.snapshot.context;
  const position = () => chartPosition(chart.snapshot.value);
  const allow = (update: string, states: string[], asked: unknown): void => {
    parse(askedSchema.nullish(), asked, 'asked');
    const { detail } = position();
    if (!states.some((state) => detail === state || detail.startsWith(`${state}.`))) {
      throw wrongState(update, detail, `a run in ${states.join(', ')}`);
    }
  };
  wf.setHandler(wf.defineQuery<RunView>(runQuery), view);
  // Nothing may be thrown here: that would end the run, or wedge it. Nor is there a handler for signals of other names, which are
  // ignored without one: the SDK wedges a workflow that has one and is sent a signal whose name it reserves for itself.
  for (const [signal, type] of [
    [sessionLostSignal, 'SESSION_LOST'],
    [sessionFoundSignal, 'SESSION_FOUND'],
  ] as const) {
    wf.setHandler(wf.defineSignal<[unknown]>(signal), (given) => {
      const session = signalledSessionSchema.safeParse(given);
      if (session.success) chart.send({ type, session: session.data });
      else tell(`a signal ${signal} was ignored: it names no session`);
    });
  }
  wf.setHandler(
    wf.defineUpdate<RunView, [Configure, Asked | undefined]>(updateNames.configure),
    (patch) => {
      chart.send({ type: 'CONFIGURE', draft: mergeDraft(context().draft, patch) });
      return view();
    },
    {
      validator: (patch, asked) => {
        allow('configure', ['configuring.draft'], asked);
        const problems = draftProblems(mergeDraft(context().draft, parse(configureSchema, patch, '')), run);
        if (problems.length > 0) throw invalid(problems);
      },
    },
  );
  wf.setHandler(
    wf.defineUpdate<RunView, [Asked | undefined]>(updateNames.train),
    async () => {
      chart.send({ type: 'TRAIN' });
      await wf.condition(() => position().detail !== 'configuring.validating');
      if (context().problems.length > 0) throw invalid(context().problems);
      return view();
    },
    { validator: (asked) => allow('train', ['configuring.draft'], asked) },
  );
  wf.setHandler(
    wf.defineUpdate<RunView, [StopRequest | undefined, Asked | undefined]>(updateNames.stop),
    (request, asked) => {
      const { mode } = parse(stopRequestSchema, request, '');
      chart.send({ type: 'STOP', by: 'update', mode, asked });
      return view();
    },
    {
      validator: (request, asked) => {
        parse(stopRequestSchema, request, '');
        allow('stop', ['configuring', 'training', 'stopping'], asked);
      },
    },
  );
  wf.setHandler(
    wf.defineUpdate<RunView, [Asked | undefined]>(updateNames.pause),
    (asked) => {
      chart.send({ type: 'PAUSE', asked });
      return view();
    },
    {
      validator: (asked) => {
        allow('pause', ['training'], asked);
        if (context().pauseWanted) throw wrongState('pause', position().detail, 'a run that trains');
      },
    },
  );
  wf.setHandler(
    wf.defineUpdate<RunView, [Asked | undefined]>(updateNames.resume),
    (asked) => {
      chart.send({ type: 'RESUME', asked });
      return view();
    },
    { validator: (asked) => allow('resume', ['training.paused'], asked) },
  );
}

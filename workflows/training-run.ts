/**
 * The workflow of one training run: the chart, performed, and what is told of it. `run-handlers.ts` has its messages, `run-close.ts` its end.
 */

import * as wf from '@temporalio/workflow';
import type { Asked, Origin } from '../contracts/asked.ts';
import { chainWith, type Owner, otherLifeType, placeMemo } from '../contracts/life.ts';
import { name } from '../contracts/names.ts';
import type { Receipt } from '../contracts/receipt.ts';
import type {
  CleanUpInput,
  KeepCheckpointsInput,
  OpenSessionInput,
  PublishInput,
  StopTrainerInput,
  TrainEpochInput,
  Unowned,
} from '../contracts/run-activities.ts';
import type { DraftConfig } from '../contracts/run-config.ts';
import {
  type Configure,
  type RunView,
  type TrainingRunInput,
  trainingRunInputSchema,
} from '../contracts/run-messages.ts';
import { salvageId } from '../contracts/salvage-messages.ts';
import { traceOf } from '../contracts/trace.ts';
import { type CarriedState, DurableChart } from './durable.ts';
import type { Outbox } from './outbox.ts';
import { invalid, parse } from './refusals.ts';
import * as activities from './run-activities.ts';
import { runChart } from './run-chart.ts';
import { closeRun } from './run-close.ts';
import { firstContext, type RunContext } from './run-context.ts';
import { tellChange } from './run-events.ts';
import { answerMessages } from './run-handlers.ts';
import { type PlainChange, RunMeter } from './run-meter.ts';
import { composeReceipt, reasonToKeep } from './run-receipt.ts';
import { beginStory, enterState, type RunStory, tell, timeRestarts } from './run-story.ts';
import { RunClock, type SpentTime } from './run-time.ts';
import { type ChartPosition, chartPosition, configOf, detailsOf, viewOf } from './run-view.ts';
import { ShownAttributes } from './search-attributes.ts';
import { newestGeneration } from './session-records.ts';
import { handOver } from './tell-later.ts';
import { Tellers } from './tellers.ts';
import { pageOf } from './temporal-page.ts';

/** From one workflow run to the next, so that no history grows without end. */
interface Carried {
  chart: CarriedState;
  story: RunStory;
  /** Executions of this life before this one; what older versions carried on has none. */
  chain?: string[];
  /** Sessions that it asked for so far; what older versions carried on does not count them. */
  generation?: number;
  /** What observers have not been told yet; null or absent where nobody observes. */
  outbox?: Outbox | null;
  /** Where its time went; null or absent where an older version does not know. */
  time?: SpentTime | null;
}

/** Well below the 10,000 events that a run's history may have; a state of its own waits for a quiet moment. */
const renewalLength = 4_000;
/** Bytes; Temporal ends a workflow whose history has 50 MB. */
const renewalSize = 8_000_000;

export async function trainingRun(input: TrainingRunInput, carried?: Carried): Promise<Receipt> {
  const run = parse(name, wf.workflowInfo().workflowId, 'the run id (the workflow id)');
  const { config, draft: isDraft, origin } = parse(trainingRunInputSchema, input, '');
  if (config.run !== undefined && config.run !== run) {
    throw invalid([
      {
        field: 'config.run',
        value: JSON.stringify(config.run),
        message: `must be the workflow id ${run}, or left out`,
      },
    ]);
  }
  // Anyone may start a run with anything: only what a run before this one gave it is state.
  const before = wf.workflowInfo().continuedFromExecutionRunId === undefined ? undefined : carried;
  return new TrainingRun(run, before?.chain ?? [], origin).live({ ...config, run } as Configure, isDraft, before);
}

const isOtherLife = (error: unknown) =>
  error instanceof wf.ActivityFailure &&
  error.cause instanceof wf.ApplicationFailure &&
  error.cause.type === otherLifeType;

class TrainingRun {
  readonly #run: string;
  readonly #origin: Origin | undefined;
  #story: RunStory;
  #cancelled: unknown;
  /** Whose files those of the run are; told to activities alone, for a reset replays what another execution did. */
  #chain: string[];
  /** Of the session that it asked for last. */
  #generation = 0;
  #moving: Promise<void> | null = null;
  /** As the memo has it; the run id where it has none. */
  #toldPlace: string;
  readonly #attributes = new ShownAttributes();
  readonly #chart = new DurableChart<typeof runChart>({
    machine: runChart,
    perform: (src, input) => this.#perform(src, input),
    onChange: (_, event) => this.#note(event),
  });
  #tellers!: Tellers;
  #before: RunContext = firstContext(undefined);
  #positionBefore: ChartPosition | null = null;
  readonly #meter = new RunMeter(new Date());
  readonly #clock = new RunClock(new Date());

  constructor(run: string, before: readonly string[], origin: Origin | undefined) {
    this.#run = run;
    this.#origin = origin;
    this.#toldPlace = run;
    this.#chain = chainWith(before, wf.workflowInfo().runId);
    this.#story = beginStory(new Date());
  }

  get #context(): RunContext {
    return this.#chart.snapshot.context;
  }

  async live(draft: Configure, isDraft: boolean, carried?: Carried): Promise<Receipt> {
    const root = wf.CancellationScope.current();
    return wf.CancellationScope.nonCancellable(async () => {
      this.#tellers = new Tellers(async (events, { observer, isLast }) => {
        const asked = { run: this.#run, ...this.#owner, config: this.#config(), observer, events };
        return (await activities.tellObserver(asked, isLast)).told;
      });
      if (carried) {
        this.#story = carried.story;
        this.#clock.carryOn(carried.time);
        this.#chart.restore(carried.chart);
        this.#generation = carried.generation ?? newestGeneration(this.#context.sessions);
        this.#before = this.#context;
        this.#positionBefore = this.#position;
        this.#tellers.begin(this.#context.plan?.observers ?? [], carried.outbox);
      } else {
        this.#chart.start({ run: this.#run, draft, isDraft });
      }
      answerMessages({
        run: this.#run,
        chart: this.#chart,
        view: () => this.#view(),
        tell: (message) => this.#tell(message),
      });
      root.cancelRequested.catch((error) => {
        this.#cancelled = error;
        this.#chart.send({ type: 'STOP', by: 'cancel', mode: 'batch' });
      });
      if (carried) this.#chart.send({ type: 'RENEWED' });
      while (!this.#over) {
        await wf.condition(() => this.#over || this.#renewable);
        await wf.condition(wf.allHandlersFinished);
        // A stop or a pause may have come while the handlers finished; after a resume the renewal is due again.
        if (!this.#over && this.#renewable) await this.#renew(draft, isDraft);
      }
      const left = await this.#tellers.end();
      // Histories of before end with that.
      if (left.untold.length > 0 && wf.patched('tell-later'))
        await handOver({ run: this.#run, ...this.#owner, config: this.#config(), ...left });
      return closeRun(this.#context, this.#receipt, this.#cancelled);
    });
  }

  get #over(): boolean {
    return this.#chart.snapshot.status === 'done';
  }

  get #renewable(): boolean {
    return this.#chart.quiet && this.#chart.snapshot.matches({ training: { sessions: 'renewing' } });
  }

  async #renew(draft: Configure, isDraft: boolean): Promise<void> {
    const { value, context } = this.#chart.snapshot;
    this.#tellers.hush();
    const { outbox } = this.#tellers;
    const carried: Carried = {
      ...{ chart: { value, context }, story: this.#story, chain: this.#chain, outbox },
      ...{ generation: this.#generation, time: this.#clock.carried },
    };
    await wf.continueAsNew<typeof trainingRun>(
      { config: draft as DraftConfig, draft: isDraft, ...this.#from },
      carried,
    );
  }

  /** Another life's files at this one's place: from then on the chart goes on with a place of its own. */
  async #perform(src: string, input: unknown): Promise<unknown> {
    const { place } = this.#owner;
    try {
      return await this.#ask(src, input);
    } catch (error) {
      if (!isOtherLife(error)) throw error;
      // Nobody waits for this answer any more: the chart has left the state that asked.
      if (place !== this.#owner.place) return null;
      this.#moving ??= this.#moveIn().finally(() => {
        this.#moving = null;
      });
      await this.#moving;
      // There is no other place for it: whatever it asked again, it would be told the same.
      if (place === this.#owner.place) throw error;
      return null;
    }
  }

  get #from(): { origin?: Origin } {
    return this.#origin ? { origin: this.#origin } : {};
  }

  get #owner(): Owner {
    return { place: this.#context.plan?.place ?? this.#run, chain: this.#chain };
  }

  async #moveIn(): Promise<void> {
    const { ledger, position, session, lastHost } = this.#context;
    const asked = { run: this.#run, ...this.#owner, config: this.#config(), ledger, epochs: position.epoch };
    const host = session?.host ?? lastHost;
    const moved = await wf.CancellationScope.nonCancellable(() => activities.moveIn({ ...asked, host }));
    if (moved.place === asked.place) return;
    this.#chart.send({ type: 'MOVED', moved });
  }

  #ask(src: string, input: unknown): Promise<unknown> {
    const context = this.#context;
    const host = context.session?.host ?? context.lastHost;
    const owned = <T extends object>(asked: unknown) => ({ ...(asked as T), ...this.#owner });
    switch (src) {
      case 'checkConfig':
        return activities.checkConfig(input as DraftConfig, this.#chain, context.isDraft);
      case 'openSession':
        return activities.openSession({ ...owned<Unowned<OpenSessionInput>>(input), ...this.#from }, () => {
          this.#generation++;
          return { id: wf.uuid4(), generation: this.#generation };
        });
      case 'trainEpoch':
        return activities.trainEpoch(owned<Unowned<TrainEpochInput>>(input));
      case 'keepCheckpoints':
        return activities.keepCheckpoints(owned<Unowned<KeepCheckpointsInput>>(input), host ?? '');
      case 'stopTrainer':
        return activities.stopTrainer(owned<Unowned<StopTrainerInput>>(input));
      case 'publish':
        return activities.publish(this.#publishInput(host));
      case 'cleanUp':
        return activities.cleanUp(this.#cleanUpInput(host));
      default:
        throw new Error(`no activity performs ${src}`);
    }
  }

  #publishInput(host: string | null): PublishInput {
    const { ledger, dropped } = this.#context;
    const config = this.#config();
    return {
      run: this.#run,
      ...this.#owner,
      config,
      ledger,
      dropped,
      host,
      receipt: this.#receipt,
    };
  }

  #cleanUpInput(host: string | null): CleanUpInput {
    // Nobody waits twice for a host that is gone.
    const gone = this.#context.published?.host === null;
    const keep = reasonToKeep(this.#context);
    return {
      run: this.#run,
      ...this.#owner,
      config: this.#config(),
      host: gone ? null : host,
      keep,
      receipt: this.#receipt,
    };
  }

  /** All that is known now. */
  get #receipt(): Receipt {
    const receipt = composeReceipt(this.#context, this.#story, new Date());
    return { ...this.#clock.tellIn(receipt, this.#context, this.#position.detail), ...this.#from };
  }

  #config() {
    const { plan } = this.#context;
    if (!plan) throw new Error('a run without a plan has nothing to publish');
    return plan.config;
  }

  get #position() {
    return chartPosition(this.#chart.snapshot.value);
  }

  #view(): RunView {
    const view = viewOf(this.#context, this.#story, this.#position, new Date());
    const time = this.#clock.timeOf(this.#context, this.#position.detail, new Date());
    return { ...view, ...time, ...this.#from, ...this.#owner, chain: this.#chain };
  }

  /** After every transition: the story, the log, the search attributes and the details that the Temporal UI shows. */
  #note(event: { type: string; asked?: Asked | undefined } | null): void {
    const now = new Date();
    const { state } = this.#position;
    if (state !== this.#story.state)
      wf.log.info(state, { state, epoch: this.#context.position.epoch, trace: traceOf(this.#chain) });
    const [before, after] = [this.#before, this.#context];
    const change = { before, after, from: this.#positionBefore, to: this.#position, now };
    this.#meter.note(change, this.#story.enteredStateAt);
    this.#clock.note(change);
    this.#story = enterState(this.#story, state, now);
    for (const message of tellChange(before, after, event)) this.#tell(message);
    this.#story = timeRestarts(this.#story, before.restarts, after.restarts, now);
    this.#observe(change, event?.asked ?? undefined);
    this.#before = after;
    this.#positionBefore = this.#position;
    this.#show();
    const { historyLength, historySize } = wf.workflowInfo();
    const isLong = historyLength > renewalLength || historySize > renewalSize;
    if (isLong && !this.#context.renewalDue && state === 'training') {
      this.#chart.send({ type: 'RENEWAL_DUE' });
    }
  }

  #observe(change: PlainChange, asked: Asked | undefined): void {
    if (!change.before.plan && change.after.plan) this.#tellers.begin(change.after.plan.observers ?? []);
    this.#tellers.note({ ...change, run: this.#run, chain: this.#chain, place: this.#owner.place, asked });
  }

  #tell(message: string): void {
    this.#story = tell(this.#story, message, new Date());
    const { state } = this.#position;
    wf.log.info(message, { state, epoch: this.#context.position.epoch, trace: traceOf(this.#chain) });
  }

  #show(): void {
    const details = detailsOf(this.#context, this.#story, this.#position);
    // A run that is ended by force cannot say so any more: until it has ended, it says where to look then.
    const isOver = this.#position.state === 'stopped';
    const salvage = `If it is ended by force, what is left of it is published by ${pageOf(salvageId(this.#owner.place))}.`;
    wf.setCurrentDetails(isOver ? details : `${details}\n\n${salvage}`);
    const { place } = this.#owner;
    if (place !== this.#toldPlace) wf.upsertMemo({ [placeMemo]: place });
    this.#toldPlace = place;
    this.#attributes.show(this.#context, configOf(this.#context), this.#story, this.#position, new Date());
  }
}

/** What a host asks the server about runs, outside any activity. */

import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import type { Logger } from 'pino';
import { type Life, mayGoOn, runAt } from '../contracts/life.ts';
import { hostOfQueue } from '../contracts/queues.ts';
import { sessionFoundSignal, sessionLostSignal } from '../contracts/run-activities.ts';
import { type RunView, runQuery } from '../contracts/run-messages.ts';
import { type SalvageInput, salvageId, salvageType } from '../contracts/salvage-messages.ts';
import { attributes } from '../contracts/search-attributes.ts';

/** Nobody is to wait for long for what only saves time: milliseconds. */
const unstickMs = 2_000;
/** `temporal.api.enums.v1.PendingActivityState`. */
const scheduled = 1;
const started = 2;
/** What a run asks of a session that it has. */
const ofSession = ['trainEpoch', 'stopTrainer'];
/** What a run asks of the host that has its files, to end. */
const ofEnd = ['stopTrainer', 'publish', 'cleanUp'];
/** `temporal.api.enums.v1.HistoryEventFilterType`. */
const closeEvent = 2;

export class Runs {
  constructor(
    readonly client: Client,
    /** The id of the client's namespace, unlike on all servers. */
    readonly namespace: string,
    readonly workflowQueue: string,
    readonly log: Logger,
    /** Why no run can ask for anything: nobody serves workflows. Null where somebody does. Throws when the server does not answer. */
    readonly whyUnserved: () => Promise<string | null>,
  ) {}

  /** The life whose workflow asks: it is in the namespace that this worker serves. */
  life(chain: readonly string[]): Life {
    return { namespace: this.namespace, chain: [...chain] };
  }

  /** Whether a life of another namespace: what this server says of the run's id says nothing about it. */
  isForeign(life: Life): boolean {
    return life.namespace !== this.namespace;
  }

  /**
   * Whether this life of the run still goes on: its last execution that is known, or one that follows that. Of an id alone, whatever
   * life of it there is. Throws when the server does not answer.
   */
  async isOpen(run: string, life: Life | null): Promise<boolean> {
    let execution = life?.chain.at(-1);
    for (;;) {
      const status = await this.#statusOf(run, execution);
      if (status === null && life !== null) return this.#isOfNewest(run, life);
      if (status !== 'CONTINUED_AS_NEW') return status === 'RUNNING';
      const next = await this.#nextOf(run, execution);
      if (next === null) return false;
      execution = next;
    }
  }

  /**
   * For an execution that the server has forgotten: it keeps closed ones for a while, and a run may have gone on from this one long
   * ago. Then the execution that is open now knows it.
   */
  async #isOfNewest(run: string, life: Life): Promise<boolean> {
    if ((await this.#statusOf(run, undefined)) !== 'RUNNING') return false;
    const { chain } = await this.client.workflow.getHandle(run).query<RunView>(runQuery);
    return chain === undefined || mayGoOn({ namespace: this.namespace, chain }, life);
  }

  async #statusOf(run: string, execution: string | undefined): Promise<string | null> {
    try {
      return (await this.client.workflow.getHandle(run, execution).describe()).status.name;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    }
  }

  /** The execution that this one has gone on in. */
  async #nextOf(run: string, execution: string | undefined): Promise<string | null> {
    const { history } = await this.client.workflowService.getWorkflowExecutionHistory({
      namespace: this.client.options.namespace,
      execution: { workflowId: run, ...(execution === undefined ? {} : { runId: execution }) },
      historyEventFilterType: closeEvent,
    });
    return history?.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId || null;
  }

  /** Where a run has landed, or lands: its newest life, or the one that is named. Null where nobody knows it, or it has not begun. */
  async outputFolder(place: string): Promise<string | null> {
    const run = runAt(place);
    try {
      const view = await this.client.workflow.getHandle(run).query<RunView>(runQuery);
      if (view.outputFolder === null || place === run) return view.outputFolder;
      return `${view.outputFolder.slice(0, view.outputFolder.lastIndexOf('/'))}/${place}`;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    }
  }

  /** Whether the run asks for a session, and no host has taken it up. Throws when the server does not answer. */
  async waitsForHost(run: string): Promise<boolean> {
    const { raw } = await this.client.workflow.getHandle(run).describe();
    return (raw.pendingActivities ?? []).some(
      ({ activityType, state }) => activityType?.name === 'openSession' && state === scheduled,
    );
  }

  /** What the run has asked of its session, and a worker of this host was given: another word for each time. Null: nothing. Throws when the server does not answer. */
  async asksHost(run: string, host: string): Promise<string | null> {
    const { raw } = await this.client.workflow.getHandle(run).describe();
    const asked = raw.pendingActivities?.find(
      ({ activityType, state, lastWorkerIdentity }) =>
        ofSession.includes(activityType?.name ?? '') && state === started && lastWorkerIdentity?.endsWith(`:${host}`),
    );
    return asked ? `${raw.workflowExecutionInfo?.execution?.runId} ${asked.activityId} ${asked.attempt}` : null;
  }

  /** Whether the run has a session that is another one than this. Throws when nobody answers for it. */
  async hasAnotherSession(run: string, session: string): Promise<boolean> {
    const { session: current } = await this.client.workflow.getHandle(run).query<RunView>(runQuery);
    return current !== null && current.id !== session;
  }

  /** Whether the run ends or publishes at present, not on a host other than this, or tells its observers that it has. Throws when the server does not answer. */
  async isLanding(run: string, host: string): Promise<boolean> {
    const { raw, status, typedSearchAttributes } = await this.client.workflow.getHandle(run).describe();
    const state = typedSearchAttributes.get(attributes.state) ?? '';
    if (status.name !== 'RUNNING' || !['stopping', 'uploading', 'stopped'].includes(state)) return false;
    return !(raw.pendingActivities ?? []).some(({ activityType, activityOptions }) => {
      const asked = ofEnd.includes(activityType?.name ?? '')
        ? hostOfQueue(activityOptions?.taskQueue?.name ?? '')
        : null;
      return asked !== null && asked !== host;
    });
  }

  /** Whether the run has still to decide what comes after the session on `host`. Throws when the server does not answer. */
  async isDeciding(run: string, host: string): Promise<boolean> {
    const { raw } = await this.client.workflow.getHandle(run).describe();
    const asksHere = (raw.pendingActivities ?? []).some(
      ({ activityType, lastWorkerIdentity }) =>
        ofSession.includes(activityType?.name ?? '') && lastWorkerIdentity?.endsWith(`:${host}`),
    );
    return asksHere || Boolean(raw.pendingWorkflowTask);
  }

  /** Has what is left of a life that is over landed; a salvage that runs or has succeeded already is enough, unless `again`. */
  async salvage(input: SalvageInput, again = false): Promise<void> {
    try {
      await this.client.workflow.start(salvageType, {
        workflowId: salvageId(input.place),
        taskQueue: this.workflowQueue,
        args: [input],
        workflowIdReusePolicy: again ? 'ALLOW_DUPLICATE' : 'ALLOW_DUPLICATE_FAILED_ONLY',
        workflowIdConflictPolicy: 'USE_EXISTING',
        staticSummary: `salvage ${input.place}`,
        typedSearchAttributes: [{ key: attributes.run, value: input.run }],
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }

  /** A worker that has gone held the workflow in its memory: the server would wait for it before it asks another one. */
  async unstick(run: string): Promise<void> {
    const { connection, options } = this.client;
    const request = { namespace: options.namespace, execution: { workflowId: run } };
    await connection
      .withDeadline(Date.now() + unstickMs, () => connection.workflowService.resetStickyTaskQueue(request))
      .catch(() => undefined);
  }

  /** Tells a run at once what a heartbeat timeout would tell it late. A run that is over needs no telling. */
  tellLost(run: string, session: string): Promise<void> {
    return this.#signal(run, sessionLostSignal, session);
  }

  /** Has a run ask this host again, at once: its session is here. */
  tellFound(run: string, session: string): Promise<void> {
    return this.#signal(run, sessionFoundSignal, session);
  }

  async #signal(run: string, name: string, session: string): Promise<void> {
    try {
      const handle = this.client.workflow.getHandle(run);
      await this.unstick(run);
      await handle.signal(name, session);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError))
        this.log.warn({ run, err: error, signal: name }, 'the run could not be told of its session');
    }
  }
}

/** What anyone may do to a run's activities and messages with Temporal's command line, through the calls that it makes. */
import type { Client } from '@temporalio/client';
import { until } from './until.ts';

/** `temporal.api.enums.v1.PendingActivityState`. */
const started = 2;

export interface PendingActivity {
  id: string;
  type: string;
  /** A worker has it. */
  isStarted: boolean;
  isPaused: boolean;
}

export class ByHand {
  constructor(
    readonly client: Client,
    readonly run: string,
  ) {}

  async activities(): Promise<PendingActivity[]> {
    const { raw } = await this.client.workflow.getHandle(this.run).describe();
    return (raw.pendingActivities ?? []).map(({ activityId, activityType, state, paused }) => ({
      id: activityId ?? '',
      type: activityType?.name ?? '',
      isStarted: state === started,
      isPaused: paused === true,
    }));
  }

  /** `temporal activity fail` */
  async fail(activityId: string): Promise<void> {
    await this.#service.respondActivityTaskFailedById({
      ...this.#of(activityId),
      failure: { message: 'failed by hand', source: 'CLI', applicationFailureInfo: { nonRetryable: true, type: '' } },
    });
  }

  /** `temporal activity complete` */
  async complete(activityId: string, result: unknown = {}): Promise<void> {
    await this.#service.respondActivityTaskCompletedById({
      ...this.#of(activityId),
      result: { payloads: [payload(JSON.stringify(result))] },
    });
  }

  /** `temporal activity pause`, and once its worker has let go of it, or finished it, `temporal activity unpause`. */
  async pause(id: string): Promise<void> {
    await this.#service.pauseActivity({ ...this.#on, id, reason: 'by a test' });
    const paused = await until(`the activity ${id} is paused`, async () => {
      const found = (await this.activities()).find((one) => one.id === id);
      return !found || (found.isPaused && !found.isStarted && found);
    });
    if (paused !== true) await this.#service.unpauseActivity({ ...this.#on, id });
  }

  /** `temporal activity reset` */
  async reset(id: string): Promise<void> {
    await this.#service.resetActivity({ ...this.#on, id });
  }

  /** `temporal workflow signal`, with an argument as it is given. */
  async signal(signalName: string, data: string, encoding = 'json/plain'): Promise<void> {
    const { namespace, workflowExecution } = this.#place;
    await this.#service.signalWorkflowExecution({
      namespace,
      workflowExecution,
      signalName,
      input: { payloads: [payload(data, encoding)] },
    });
  }

  get #service() {
    return this.client.connection.workflowService;
  }

  get #place() {
    return { namespace: this.client.options.namespace, workflowExecution: { workflowId: this.run } };
  }

  #of(activityId: string) {
    return { namespace: this.client.options.namespace, workflowId: this.run, activityId, identity: 'by hand' };
  }

  get #on() {
    return {
      namespace: this.client.options.namespace,
      execution: { workflowId: this.run },
      identity: 'by hand',
    };
  }
}

const payload = (data: string, encoding = 'json/plain') => ({
  metadata: { encoding: Buffer.from(encoding) },
  data: Buffer.from(data),
});

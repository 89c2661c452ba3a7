/** Whether the server that is asked knows lives of runs to be over, for whoever is about to remove something of theirs. */
import { type Life, runAt } from '../contracts/life.ts';
import { salvageId } from '../contracts/salvage-messages.ts';
import type { Calls } from './calls.ts';
import { RunNotFoundError } from './errors.ts';
import { callSeconds } from './run-executions.ts';

const closed: ReadonlySet<string> = new Set([
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'TERMINATED',
  'CONTINUED_AS_NEW',
  'TIMED_OUT',
]);

export class OverLives {
  #namespace: Promise<string> | null = null;

  constructor(private readonly calls: Calls) {}

  /** A clause: why what is at this place may still be written; null where it is over. Any open life of the run counts. */
  async whyOpen(place: string, life: Life): Promise<string | null> {
    this.#namespace ??= this.#namespaceId();
    if ((await this.#namespace) !== life.namespace)
      return `it belongs to another Temporal namespace than ${this.calls.client.options.namespace} of ${this.calls.server}, which cannot tell whether it is over`;
    if (await this.#isOpen(runAt(place))) return 'the run is not over';
    if (await this.#isOpen(salvageId(place))) return 'what is left of it is being salvaged';
    return null;
  }

  /** The server forgets those that are over after a while. */
  async #isOpen(workflow: string): Promise<boolean> {
    const { client } = this.calls;
    try {
      const { status } = await this.calls.within(callSeconds, workflow, () =>
        client.workflow.getHandle(workflow).describe(),
      );
      return !closed.has(status.name);
    } catch (error) {
      if (error instanceof RunNotFoundError) return false;
      throw error;
    }
  }

  async #namespaceId(): Promise<string> {
    const { connection, options } = this.calls.client;
    const { namespaceInfo } = await this.calls.within(callSeconds, null, () =>
      connection.workflowService.describeNamespace({ namespace: options.namespace }),
    );
    return namespaceInfo?.id || options.namespace;
  }
}

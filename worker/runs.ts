/** What a host asks the server about runs, outside any activity. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Logger } from 'pino';
import { sessionLostSignal } from '../contracts/run-activities.ts';

export class Runs {
  constructor(
    readonly client: Client,
    readonly log: Logger,
  ) {}

  /** Whether the run's workflow is still open. Throws when the server does not answer. */
  async isOpen(run: string): Promise<boolean> {
    try {
      const { status } = await this.client.workflow.getHandle(run).describe();
      return status.name === 'RUNNING' || status.name === 'CONTINUED_AS_NEW';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }

  /** Tells a run at once what a heartbeat timeout would tell it late. A run that is over needs no telling. */
  async tellLost(run: string, session: string): Promise<void> {
    try {
      await this.client.workflow.getHandle(run).signal(sessionLostSignal, session);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) this.log.warn({ run, err: error }, 'the run could not be told that its session is lost');
    }
  }
}

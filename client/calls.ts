/** Calls of the Temporal server: each with a deadline, each with errors of this client. */
import { type Client, Connection } from '@temporalio/client';
import { NoWorkerError, ServerUnreachableError } from './errors.ts';
import { isSilence, typedError } from './temporal-errors.ts';

const probeSeconds = 3;

export class Calls {
  constructor(readonly client: Client) {}

  /** How the server is called in a sentence. */
  get server(): string {
    const { connection } = this.client;
    return connection instanceof Connection
      ? `the Temporal server at ${connection.options.address}`
      : 'the Temporal server';
  }

  /**
   * Throws the client's errors, among them NoWorkerError when the server answers but nobody did the work within
   * `seconds`, and ServerUnreachableError when the server is silent too.
   */
  async within<T>(seconds: number, run: string | null, work: () => Promise<T>): Promise<T> {
    try {
      return await this.client.connection.withDeadline(Date.now() + seconds * 1000, work);
    } catch (error) {
      if (!isSilence(error)) throw typedError(error, this.server, run);
      await this.requireServer(error);
      // A run answers by whoever serves its workflow.
      const about = run === null ? 'no worker answered' : `no server answered for run ${run}`;
      throw new NoWorkerError(`${about} within ${seconds} s: is one running? "epochal server" starts one`, {
        cause: error,
      });
    }
  }

  /** Throws ServerUnreachableError when the server is silent. */
  async requireServer(cause?: unknown): Promise<void> {
    try {
      await this.client.connection.withDeadline(Date.now() + probeSeconds * 1000, () =>
        this.client.connection.workflowService.getSystemInfo({}),
      );
    } catch {
      throw new ServerUnreachableError(`${this.server} does not answer`, { cause });
    }
  }
}

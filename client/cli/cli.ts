/** What every command has at hand: the two output streams, the client, and the way to end. */

import { name } from '../../contracts/names.ts';
import { sendsTraces } from '../../contracts/trace.ts';
import type { Connected } from '../connect.ts';
import { ConfigError } from '../errors.ts';
import type { TrainingClient } from '../training-client.ts';
import { colors } from './colors.ts';
import { exitCodeOfError, exitCodes } from './exit-codes.ts';
import { plain } from './format.ts';

export class Cli {
  exitCode: number = exitCodes.ok;
  #connected: Promise<Connected> | null = null;

  constructor(
    readonly env: NodeJS.ProcessEnv,
    readonly stdout: NodeJS.WritableStream,
    readonly stderr: NodeJS.WritableStream,
  ) {}

  /** For what the user asked. */
  print(text: string): void {
    this.stdout.write(`${text}\n`);
  }

  printJson(value: unknown): void {
    this.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** For what the user should know besides; never mixed into what other programs read. */
  note(text: string): void {
    this.stderr.write(`${text}\n`);
  }

  /** What a worker is doing meanwhile. */
  readonly tellProgress = (doing: string): void => this.note(colors.dim(plain(doing)));

  /** Connects on the first call. */
  connection(): Promise<Connected> {
    // Temporal's client takes a while to load, and help or a misspelt command need none.
    this.#connected ??= import('../connect.ts').then(({ connect }) => connect(this.env));
    return this.#connected;
  }

  async client(): Promise<TrainingClient> {
    const { client } = await this.connection();
    const queue = name.optional().safeParse(this.env.EPOCHAL_WORKFLOW_QUEUE);
    if (!queue.success)
      throw new ConfigError([], {
        message: `EPOCHAL_WORKFLOW_QUEUE is ${JSON.stringify(this.env.EPOCHAL_WORKFLOW_QUEUE)}: ${queue.error.issues[0]?.message}`,
      });
    const [{ TrainingClient }, { openTracing }] = await Promise.all([
      import('../training-client.ts'),
      import('../tracing.ts'),
    ]);
    openTracing({ service: 'epochal', env: this.env, onProblem: (problem) => this.note(problem) });
    return new TrainingClient(client, queue.data === undefined ? {} : { workflowQueue: queue.data });
  }

  /** A command's handler: its answer is the exit code. */
  action<A>(work: (args: A) => Promise<number>): (args: A) => Promise<void> {
    return async (args) => {
      this.exitCode = await work(args);
    };
  }

  /**
   * Calls `work` with a signal that Ctrl-C or SIGTERM aborts; `goodbye` then says what that did and did not do.
   * Answers `work`'s exit code, or 130. A second Ctrl-C ends the process at once.
   */
  async interruptible(goodbye: string, work: (signal: AbortSignal) => Promise<number>): Promise<number> {
    const controller = new AbortController();
    const onSignal = () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
      controller.abort();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    try {
      const code = await work(controller.signal).catch((error: unknown) => {
        if (controller.signal.aborted) return exitCodes.interrupted;
        throw error;
      });
      if (!controller.signal.aborted) return code;
      this.note(goodbye);
      return exitCodes.interrupted;
    } finally {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    }
  }

  /** One sentence on stderr, and the exit code; the stack only for those who debug. */
  report(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const lines = message.split('\n').map((line) => `${colors.red('epochal:')} ${plain(line)}`);
    this.note(lines.join('\n'));
    if (this.env.LOG_LEVEL === 'debug' || this.env.LOG_LEVEL === 'trace') this.stderr.write(`${describe(error)}\n`);
    this.exitCode = exitCodeOfError(error);
  }

  async close(): Promise<void> {
    const connected = await this.#connected?.catch(() => null);
    await connected?.close();
    if (sendsTraces(this.env)) await (await import('../tracing.ts')).closeTracing();
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.stack ?? error.message}${error.cause === undefined ? '' : `\ncaused by ${describe(error.cause)}`}`;
}

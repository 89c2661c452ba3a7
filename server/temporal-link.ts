/** The server's one connection to Temporal. The server runs without it, too, and says so until it is there. */
import { Calls } from '../client/calls.ts';
import { type Connected, connect } from '../client/connect.ts';
import { ServerUnreachableError } from '../client/errors.ts';
import { RunFiles } from '../client/run-files.ts';
import { TrainingClient } from '../client/training-client.ts';
import { WorkerQuestions } from '../client/worker-questions.ts';
import type { ServerSettings } from './settings.ts';

export interface Backend {
  training: TrainingClient;
  calls: Calls;
  workers: WorkerQuestions;
  files: RunFiles;
  address: string;
  namespace: string;
  /** Address of the Temporal UI, where it is known. */
  ui: string | null;
}

/** A person waits: a worker that does not take a question in this time is away. */
const workerSeconds = 10;

export class TemporalLink {
  readonly #open: () => Promise<Connected>;
  readonly #settings: Pick<ServerSettings, 'workflowQueue'>;
  #connected: { backend: Backend; close(): Promise<void> } | null = null;
  #connecting: Promise<Backend> | null = null;
  #closed = false;

  constructor(settings: Pick<ServerSettings, 'workflowQueue'>, open: () => Promise<Connected> = connect) {
    this.#open = open;
    this.#settings = settings;
  }

  /** What is known of the server without asking it; null while it was never there. */
  get known(): Backend | null {
    return this.#connected?.backend ?? null;
  }

  /** Throws ServerUnreachableError while Temporal was never there; later calls tell that themselves. */
  async backend(): Promise<Backend> {
    if (this.#connected) return this.#connected.backend;
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = null;
    });
    return this.#connecting;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#connecting?.catch(() => undefined);
    await this.#connected?.close();
    this.#connected = null;
  }

  async #connect(): Promise<Backend> {
    const { client, address, namespace, ui, close } = await this.#open().catch((cause: unknown) => {
      if (cause instanceof ServerUnreachableError) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ServerUnreachableError(`the Temporal server does not answer (${why})`, { cause });
    });
    const calls = new Calls(client);
    const workers = new WorkerQuestions(calls, workerSeconds);
    const { workflowQueue } = this.#settings;
    const training = new TrainingClient(client, { workerSeconds, workflowQueue });
    const backend: Backend = { training, calls, workers, files: new RunFiles(workers), address, namespace, ui };
    this.#connected = { backend, close };
    if (this.#closed) await close();
    return backend;
  }
}

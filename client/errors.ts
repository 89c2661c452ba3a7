/** What a client can be told. Every message is one sentence for a person; no stack is needed to understand it. */
import type { DataReport } from '../contracts/data-report.ts';
import { type ConfigProblem, problemSentence } from '../contracts/failure.ts';

/** Base of every error that this client throws on purpose. */
export class EpochalError extends Error {
  override readonly name: string = 'EpochalError';
}

/** Input was refused; nothing has started and nothing has changed. */
export class ConfigError extends EpochalError {
  override readonly name = 'ConfigError';
  /** What the data set holds, where a worker has read it before the refusal. */
  readonly dataReport: DataReport | undefined;
  constructor(
    readonly problems: readonly ConfigProblem[],
    options?: ErrorOptions & { message?: string; dataReport?: DataReport | undefined },
  ) {
    super(options?.message ?? problems.map(problemSentence).join('\n'), options);
    this.dataReport = options?.dataReport;
  }
}

/** The run is in a state where the request means nothing. */
export class WrongStateError extends EpochalError {
  override readonly name = 'WrongStateError';
}

/** There is, or was, a run with this id. */
export class RunInUseError extends EpochalError {
  override readonly name = 'RunInUseError';
  constructor(
    readonly run: string,
    options?: ErrorOptions,
  ) {
    super(
      `run is ${JSON.stringify(run)}: in use by another run; choose another id, or leave it out to get a new one`,
      options,
    );
  }
}

export class RunNotFoundError extends EpochalError {
  override readonly name = 'RunNotFoundError';
  constructor(
    readonly run: string,
    options?: ErrorOptions,
  ) {
    super(
      `run is ${JSON.stringify(run)}: Temporal knows no run with this id, or no longer; "epochal ls" lists those that it knows`,
      options,
    );
  }
}

/** The run has no such file or folder, neither on a host nor in its store. */
export class FileNotFoundError extends EpochalError {
  override readonly name = 'FileNotFoundError';
}

/** The server answers, but no worker does the work. It may still be done when one comes. */
export class NoWorkerError extends EpochalError {
  override readonly name = 'NoWorkerError';
}

/** The Temporal server cannot be reached. Runs are not affected. */
export class ServerUnreachableError extends EpochalError {
  override readonly name = 'ServerUnreachableError';
}

/** The Temporal server refused a request. */
export class ServerRefusedError extends EpochalError {
  override readonly name = 'ServerRefusedError';
}

/** A worker tried and failed, e.g. a trainer's Python environment could not be made. */
export class WorkerFailedError extends EpochalError {
  override readonly name = 'WorkerFailedError';
}

/** A run is over without a receipt: it was ended by force, or before it trained. */
export class NoReceiptError extends EpochalError {
  override readonly name = 'NoReceiptError';
  constructor(
    message: string,
    /** `cancelled`: before it trained, so nothing is lost. `lost`: its end was not its own. */
    readonly reason: 'cancelled' | 'lost',
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

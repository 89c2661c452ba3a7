/** How a run came out, whichever way its workflow closed. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  TimeoutFailure,
  WorkflowFailedError,
} from '@temporalio/client';
import { type Receipt, receiptSchema } from '../contracts/receipt.ts';
import { failureTypes, type RunView } from '../contracts/run-messages.ts';
import type { Calls } from './calls.ts';
import { NoReceiptError, NoWorkerError, ServerUnreachableError, WorkerFailedError } from './errors.ts';
import { salvagedReceipt } from './salvaged.ts';
import { errorOfFailure, isSilence, typedError } from './temporal-errors.ts';

export interface WaitOptions {
  /** Ends the waiting, not the run: the call then throws the signal's reason. */
  signal?: AbortSignal | undefined;
}

const retryMs = 1_000;

/** The server or the workers do not answer for now: the run resumes when they are back. */
export const isPassing = (error: unknown): boolean =>
  error instanceof ServerUnreachableError || error instanceof NoWorkerError;

/**
 * Waits for the end of the run, through restarts of the server, and answers the receipt whatever the outcome.
 * Throws NoReceiptError for a run that has none, ConfigError for one whose configuration was refused.
 */
export async function runResult(
  calls: Calls,
  run: string,
  view: () => Promise<RunView>,
  { signal }: WaitOptions = {},
): Promise<Receipt> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await closedResult(calls, run, view, signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (!isPassing(error)) throw error;
    }
    await delay(retryMs, undefined, signal ? { signal } : {});
  }
}

async function closedResult(
  calls: Calls,
  run: string,
  view: () => Promise<RunView>,
  signal: AbortSignal | undefined,
): Promise<Receipt> {
  const { client } = calls;
  const wait = () => client.workflow.getHandle(run).result();
  try {
    return receiptOf(await (signal ? client.connection.withAbortSignal(signal, wait) : wait()), run);
  } catch (error) {
    if (isSilence(error)) await calls.requireServer(error);
    if (!(error instanceof WorkflowFailedError)) throw typedError(error, calls.server, run);
    const { cause } = error;
    if (cause instanceof ApplicationFailure) {
      if (cause.type === failureTypes.trainingFailed) return receiptOf(cause.details?.[0], run);
      throw errorOfFailure(cause, error);
    }
    if (cause instanceof CancelledFailure) return receiptOfCancelled(run, await view(), error);
    const salvaged = await salvagedReceipt(calls, run, signal);
    if (salvaged) return salvaged;
    const how =
      cause instanceof TerminatedFailure
        ? 'was terminated'
        : cause instanceof TimeoutFailure
          ? 'ran into a time limit of the server'
          : 'ended';
    const why = cause instanceof TerminatedFailure && cause.message ? ` (${cause.message})` : '';
    throw new NoReceiptError(
      `run ${run} ${how}${why} and wrote no receipt; what it published is in its output folder`,
      'lost',
      { cause: error },
    );
  }
}

/** A cancelled workflow has no result, but its state is still there to be asked for. */
function receiptOfCancelled(run: string, { receipt }: RunView, cause: Error): Receipt {
  if (receipt) return receipt;
  throw new NoReceiptError(`run ${run} was cancelled before it trained`, 'cancelled', { cause });
}

function receiptOf(value: unknown, run: string): Receipt {
  const parsed = receiptSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new WorkerFailedError(`the receipt of run ${run} is of another version of Epochal`, { cause: parsed.error });
}

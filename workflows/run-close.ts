/**
 * How a run closes, for Temporal. A stop by update closes as Completed with the receipt; a cancel as Cancelled; a failed training as
 * Failed with the receipt in its details. Whichever it is, artifacts were published and the run folder dealt with before.
 */
import * as wf from '@temporalio/workflow';
import type { Receipt } from '../contracts/receipt.ts';
import { failureTypes } from '../contracts/run-messages.ts';
import { invalid } from './refusals.ts';
import type { RunContext } from './run-context.ts';

/** `composed`: all that is known, where nothing was cleaned up; `cancelled`: the error of the cancel, where there was one. */
export function closeRun(context: RunContext, composed: Receipt, cancelled: unknown): Receipt {
  if (context.problems.length > 0) throw invalid(context.problems);
  if (!context.plan) {
    if (cancelled) throw cancelled;
    if (context.stop) return composed;
    throw wf.ApplicationFailure.nonRetryable(context.failure?.message ?? 'not configured', failureTypes.invalid);
  }
  const receipt = context.receipt ?? composed;
  if (cancelled && receipt.outcome === 'stopped') throw cancelled;
  if (receipt.outcome !== 'failed') return receipt;
  const why = receipt.cause.kind === 'failure' ? `${receipt.cause.failure.kind}: ${receipt.cause.failure.message}` : '';
  throw wf.ApplicationFailure.create({
    type: failureTypes.trainingFailed,
    message: why,
    nonRetryable: true,
    details: [receipt],
  });
}

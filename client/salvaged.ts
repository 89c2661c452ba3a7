/** What became of a run that was ended by force: the workflow `salvage-<run>` knows. */

import { setTimeout as delay } from 'node:timers/promises';
import { type WorkflowExecutionDescription, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { placeMemo } from '../contracts/life.ts';
import { placeName } from '../contracts/names.ts';
import { outcomeSchema, type Receipt, receiptSchema, runStateSchema } from '../contracts/receipt.ts';
import type { SalvageFacts } from '../contracts/run-summary.ts';
import { salvageId } from '../contracts/salvage-messages.ts';
import { attributes } from '../contracts/search-attributes.ts';
import type { Calls } from './calls.ts';
import { RunNotFoundError } from './errors.ts';
import { typedError } from './temporal-errors.ts';

/** The run's worker starts the salvage when it notices; where no worker is left, a Schedule does so much later. */
const noticeSeconds = 60;
const pollMs = 500;

/** Waits for a salvage under way, or that should start soon; null when there is none or it found nothing to tell. */
export async function salvagedReceipt(
  calls: Calls,
  run: string,
  signal: AbortSignal | undefined,
): Promise<Receipt | null> {
  const { client } = calls;
  const closed = await calls.within(10, run, () => client.workflow.getHandle(run).describe());
  const isEmpty = runStateSchema.safeParse(closed.typedSearchAttributes.get(attributes.state)).data === 'configuring';
  const deadline = Date.now() + (isEmpty ? 0 : noticeSeconds * 1000);
  const place = placeIn(closed, run);
  while ((await describeSalvage(calls, place)) === null) {
    if (Date.now() > deadline) return null;
    await delay(pollMs, undefined, signal ? { signal } : {});
  }
  return salvageEnd(calls, place, signal);
}

/** Where the latest life of a run has its files. */
export const placeIn = ({ memo }: Pick<WorkflowExecutionDescription, 'memo'>, run: string): string =>
  placeName.safeParse(memo?.[placeMemo]).data ?? run;

/** Waits for the end of the salvage at this place, which is there; null when it found nothing to tell. */
export async function salvageEnd(calls: Calls, place: string, signal?: AbortSignal): Promise<Receipt | null> {
  const { client } = calls;
  const wait = () => client.workflow.getHandle(salvageId(place)).result();
  try {
    const answer = await (signal ? client.connection.withAbortSignal(signal, wait) : wait());
    return receiptSchema.safeParse(answer).data ?? null;
  } catch (error) {
    if (error instanceof WorkflowFailedError || error instanceof WorkflowNotFoundError) return null;
    throw typedError(error, calls.server, place);
  }
}

/** What the salvage at this place has come to so far; null when there is none. */
export async function describeSalvage(calls: Calls, place: string): Promise<SalvageFacts | null> {
  const id = salvageId(place);
  try {
    const { status, typedSearchAttributes } = await calls.within(10, id, () =>
      calls.client.workflow.getHandle(id).describe(),
    );
    const outcome = outcomeSchema.safeParse(typedSearchAttributes.get(attributes.outcome)).data ?? null;
    return { isOpen: status.name === 'RUNNING', outcome };
  } catch (error) {
    if (error instanceof RunNotFoundError) return null;
    throw error;
  }
}

/** The receipt of the run's salvage, where it has one by now. */
export async function presentSalvage(calls: Calls, run: string): Promise<Receipt | null> {
  const place = placeIn(await calls.within(10, run, () => calls.client.workflow.getHandle(run).describe()), run);
  const salvage = await describeSalvage(calls, place);
  return salvage && !salvage.isOpen && salvage.outcome !== null ? salvageEnd(calls, place) : null;
}

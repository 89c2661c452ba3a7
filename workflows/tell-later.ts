/** Tells observers what they had not been told when their run ended, for a day: whoever is unavailable then holds up no run. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import * as wf from '@temporalio/workflow';
import { attributes } from '../contracts/search-attributes.ts';
import { type TellLaterInput, tellLaterId, tellLaterState } from '../contracts/tell-later.ts';
import { tellObserverLater } from './run-activities.ts';

/** Of all that it tries, in hours. */
const hours = 24;

export async function tellLater({ events, untold, ...run }: TellLaterInput): Promise<void> {
  const until = Date.now() + hours * 3_600_000;
  await Promise.all(
    untold.map(async ({ observer, seqs }) => {
      // A delivery may get a part of the way.
      for (let left = events.filter(({ seq }) => seqs.includes(seq)); left.length > 0; ) {
        const seconds = Math.floor((until - Date.now()) / 1000);
        const told = seconds > 0 ? await attempt({ ...run, observer, events: left }, seconds) : null;
        if (told === null) return wf.log.warn('an observer was not told of all', { observer, events: left.length });
        left = left.filter(({ seq }) => seq > told);
      }
    }),
  );
}

async function attempt(input: Parameters<typeof tellObserverLater>[0], seconds: number): Promise<number | null> {
  try {
    return (await tellObserverLater(input, seconds)).told;
  } catch (error) {
    if (wf.isCancellation(error)) throw error;
    return null;
  }
}

/** Has the rest told by a workflow that outlives this one. */
export async function handOver(input: TellLaterInput): Promise<void> {
  try {
    await wf.startChild(tellLater, {
      workflowId: tellLaterId(input.place),
      args: [input],
      typedSearchAttributes: [
        { key: attributes.state, value: tellLaterState },
        { key: attributes.run, value: input.run },
      ],
      parentClosePolicy: 'ABANDON',
      workflowExecutionTimeout: `${hours + 1}h`,
    });
  } catch (error) {
    // A salvage of the same life, which the run itself told nothing of, has begun another.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    wf.log.warn('what observers were not told is lost: others are told of this run already');
  }
}

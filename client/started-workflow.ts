/** The workflow of a run, started: once for an id. */
import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
} from '@temporalio/client';
import { type TrainingRunInput, trainingRunType } from '../contracts/run-messages.ts';
import { readTraceparent, runSpanOf, traceOf } from '../contracts/trace.ts';
import type { Calls } from './calls.ts';
import { RunInUseError } from './errors.ts';
import { firstAttributes } from './run-query.ts';
import { typedError } from './temporal-errors.ts';
import { newSpan, tracing } from './tracing.ts';

export interface WorkflowStart {
  run: string;
  input: TrainingRunInput;
  workflowQueue: string;
  /** When it was asked for: its check is part of what is traced. */
  since: Date;
  /** W3C trace context of whoever asked: the run has a trace of its own, which links there. */
  traceparent?: string | undefined;
}

/** Throws RunInUseError. */
export async function startWorkflow(
  client: Client,
  calls: Calls,
  { run, input, workflowQueue, since, traceparent }: WorkflowStart,
): Promise<void> {
  const { trainer, epochs, project, priority, fairnessKey } = input.config;
  const summary = `${trainer ?? 'a trainer'}, ${epochs ?? '?'} epochs, project ${project ?? 'default'}`;
  try {
    const { firstExecutionRunId } = await client.workflow.start(trainingRunType, {
      workflowId: run,
      taskQueue: workflowQueue,
      args: [input],
      workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
      staticSummary: summary,
      typedSearchAttributes: firstAttributes(input.draft ?? false, trainer, project),
      priority: { priorityKey: priority ?? 3, ...(fairnessKey === undefined ? {} : { fairnessKey }) },
    });
    const trace = traceOf([firstExecutionRunId]);
    if (trace === null) return;
    tracing()?.tell({
      ...{ trace, span: newSpan(), parent: runSpanOf(trace), name: 'start', kind: 'producer' },
      ...{ start: since, end: new Date(), error: null, link: readTraceparent(traceparent) },
      attributes: { 'epochal.run': run, 'epochal.draft': input.draft ?? false },
    });
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) throw new RunInUseError(run, { cause: error });
    throw typedError(error, calls.server, run);
  }
}

/** Each activity of a run as a span of its trace; with the last ones those of its sessions, and of the whole run. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import type { Context } from '@temporalio/activity';
import type { ActivityExecuteInput, WorkerInterceptors } from '@temporalio/worker';
import { type Receipt, receiptSchema } from '../contracts/receipt.ts';
import { sessionFailedType } from '../contracts/run-activities.ts';
import { trainingRunType } from '../contracts/run-messages.ts';
import { type Session, sessionSchema } from '../contracts/session.ts';
import { runSpanOf, sessionSpanOf, type TellSpan, traceOf } from '../contracts/trace.ts';

/** What is logged meanwhile belongs to it. */
const underWay = new AsyncLocalStorage<{ trace_id: string; span_id: string }>();

/** For a logger: the trace and the span that a line belongs to. */
export const traceFields = (): object => underWay.getStore() ?? {};

/** `host`: its id. */
export const activitySpans = (tell: TellSpan, host: string): WorkerInterceptors => ({
  activity: [
    ({ info }) => ({
      inbound: {
        execute: async (input, next) => {
          const { workflowExecution, workflowType } = info;
          const trace = workflowExecution && traceOf(chainOf(input.args) ?? [workflowExecution.runId]);
          if (!trace || workflowType !== trainingRunType) return next(input);
          const span = randomBytes(8).toString('hex');
          const traced: Traced = { tell, trace, span, info, host, start: new Date() };
          return underWay.run({ trace_id: trace, span_id: span }, () => execute(traced, input, next));
        },
      },
    }),
  ],
});

interface Traced {
  tell: TellSpan;
  trace: string;
  span: string;
  info: Context['info'];
  host: string;
  start: Date;
}

async function execute(
  traced: Traced,
  input: ActivityExecuteInput,
  next: (input: ActivityExecuteInput) => Promise<unknown>,
): Promise<unknown> {
  const { activityType } = traced.info;
  try {
    const answer = await next(input);
    tellActivity(traced, null);
    if (activityType === 'stopTrainer') tellSession(traced, input.args[0], failureIn(answer));
    if (activityType === 'cleanUp') tellRun(traced, answer);
    return answer;
  } catch (error) {
    tellActivity(traced, error);
    if (activityType !== 'openSession' && Reflect.get(Object(error), 'type') === sessionFailedType)
      tellSession(traced, input.args[0], messageOf(error));
    throw error;
  }
}

/** Most activities are asked with the run's owner; the check of its configuration, with the chain beside that. */
function chainOf(args: readonly unknown[]): readonly string[] | null {
  const chain: unknown = Reflect.get(Object(args[0]), 'chain') ?? args[1];
  return Array.isArray(chain) && chain.length > 0 ? chain : null;
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

function tellActivity({ tell, trace, span, info, host, start }: Traced, error: unknown): void {
  tell({
    ...{ trace, span, parent: runSpanOf(trace), name: info.activityType, kind: 'consumer', start, end: new Date() },
    attributes: {
      'epochal.run': info.workflowExecution?.workflowId ?? '',
      'epochal.host': host,
      'temporal.task_queue': info.taskQueue,
      'temporal.attempt': info.attempt,
      // How long it waited for somebody who had room for it.
      'epochal.waited_ms': Math.max(0, start.getTime() - info.scheduledTimestampMs),
    },
    error: error === null ? null : messageOf(error),
  });
}

const failureIn = (end: unknown): string | null => {
  const message: unknown = Reflect.get(Object(Reflect.get(Object(end), 'failure')), 'message');
  return typeof message === 'string' ? message : null;
};

/** Its end was seen: by whoever that is, its span is the same one. */
function tellSession({ tell, trace, host }: Traced, asked: unknown, error: string | null): void {
  const session: Session | undefined = sessionSchema.safeParse(Reflect.get(Object(asked), 'session')).data;
  const span = session && sessionSpanOf(session.id);
  if (!session || !span) return;
  tell({
    ...{ trace, span, parent: runSpanOf(trace), name: 'session', kind: 'internal' },
    ...{ start: new Date(session.startedAt), end: new Date(), error },
    attributes: { 'epochal.host': host, 'epochal.session': session.id, 'epochal.generation': session.generation ?? 0 },
  });
}

function tellRun({ tell, trace }: Traced, answer: unknown): void {
  const receipt: Receipt | undefined = receiptSchema.safeParse(answer).data;
  if (!receipt) return;
  const { run, project, trainer, outcome, cause, startedAt, endedAt, epochs, batches } = receipt;
  tell({
    ...{ trace, span: runSpanOf(trace), parent: null, name: `run ${trainer}`, kind: 'internal' },
    ...{ start: new Date(startedAt), end: new Date(endedAt) },
    attributes: {
      ...{ 'epochal.run': run, 'epochal.project': project, 'epochal.trainer': trainer, 'epochal.outcome': outcome },
      ...{ 'epochal.epochs': epochs.trained, 'epochal.batches': batches.trained, 'epochal.wasted': batches.wasted },
    },
    error: cause.kind === 'failure' ? cause.failure.message : null,
  });
}

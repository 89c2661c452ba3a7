/** Temporal's own Reset, as its UI and command line do it. */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import Long from 'long';

/**
 * Where the history is cut: the first workflow task, the last one, the last before an event of this kind, or one in between, by its
 * part (0 to 1) of all tasks.
 */
export type ResetPoint = 'first' | 'last' | { before: string } | { part: number };

interface Task {
  eventId: number;
  /** What was in the history before it, by the attributes' names. */
  seen: readonly string[];
}

export interface ResetOptions {
  /** The one that is reset, the latest unless given. */
  execution?: string;
  /** What came by signal, update or cancel after that point comes again, which is what the server does unless told. */
  again?: boolean;
}

/** `temporal.api.enums.v1.ResetReapplyExcludeType`: signals, updates, cancels. */
const messages = [1, 2, 4];

/** Answers the id of the execution that continues. */
export async function resetRun(
  client: Client,
  run: string,
  point: ResetPoint,
  { execution, again = true }: ResetOptions = {},
): Promise<string> {
  const { runId } = await client.workflow.getHandle(run, execution).describe();
  const tasks = await completedTasks(client, run, runId);
  const task =
    point === 'first'
      ? tasks[0]
      : point === 'last'
        ? tasks.at(-1)
        : 'part' in point
          ? tasks[Math.floor(point.part * tasks.length)]
          : tasks.findLast(({ seen }) => !seen.some((kind) => kind === point.before));
  if (!task) throw new Error(`no workflow task of ${run} to reset to`);
  const answer = await client.workflowService.resetWorkflowExecution({
    namespace: client.options.namespace,
    workflowExecution: { workflowId: run, runId },
    reason: 'a test',
    requestId: randomUUID(),
    ...(again ? {} : { resetReapplyExcludeTypes: messages }),
    workflowTaskFinishEventId: Long.fromNumber(task.eventId),
  });
  return answer.runId ?? '';
}

async function completedTasks(client: Client, run: string, runId: string): Promise<Task[]> {
  const history = await client.workflow.getHandle(run, runId).fetchHistory();
  const seen: string[] = [];
  const tasks: Task[] = [];
  for (const event of history.events ?? []) {
    const activity = event.activityTaskScheduledEventAttributes?.activityType?.name;
    if (activity) seen.push(activity);
    const update = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input?.name;
    if (update) seen.push(update);
    // What this very task scheduled comes after it.
    if (event.workflowTaskCompletedEventAttributes) tasks.push({ eventId: Number(event.eventId), seen: [...seen] });
  }
  return tasks;
}

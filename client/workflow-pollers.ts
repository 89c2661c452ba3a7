/**
 * Who serves the workflows of runs: the pollers of their queue, and which version of the Worker Deployment gets the tasks. A run that nobody
 * serves cannot say so itself.
 */
import type { Connection } from '@temporalio/client';
import type { Calls } from './calls.ts';

export interface WorkflowPoller {
  identity: string;
  /** Build id of its version; null: it polls unversioned. */
  build: string | null;
  /** When it last asked for work, in milliseconds by the server's clock. */
  seenAt: number;
}

export interface WorkflowQueue {
  /** Build id of the Current version; null: those that poll unversioned get the tasks. */
  current: string | null;
  pollers: WorkflowPoller[];
  /**
   * By the server's clock, in milliseconds: when somebody last asked for work of this queue. Workers do so all the time. This machine's own
   * time where nobody did.
   */
  now: number;
}

/** A client's connection or a worker's own. */
type Asking = Pick<Connection, 'workflowService'>;

/** Of `enums.v1.TaskQueueType`. */
const [workflowTasks, activityTasks] = [1, 2];
/** `enums.v1.WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED` */
const versioned = 2;
/** A poll lasts a minute at most, and the next one follows at once. */
export const pollMs = 90_000;

/** The server remembers a poller for some minutes, so one may be named that is gone. */
export async function workflowQueueNow(
  { workflowService }: Asking,
  namespace: string,
  queue: string,
): Promise<WorkflowQueue> {
  const describe = (taskQueueType: number) =>
    workflowService.describeTaskQueue({ namespace, taskQueue: { name: queue }, taskQueueType });
  const [{ pollers, versioningInfo }, workers] = await Promise.all([describe(workflowTasks), describe(activityTasks)]);
  const times = [...(pollers ?? []), ...(workers.pollers ?? [])].map(seenAt);
  return {
    current: versioningInfo?.currentDeploymentVersion?.buildId || null,
    pollers: (pollers ?? []).map((poller) => ({
      identity: poller.identity ?? '',
      build: (poller.deploymentOptions?.workerVersioningMode === versioned && poller.deploymentOptions.buildId) || null,
      seenAt: seenAt(poller),
    })),
    now: times.length > 0 ? Math.max(...times) : Date.now(),
  };
}

const seenAt = ({ lastAccessTime }: { lastAccessTime?: { seconds?: unknown } | null }): number =>
  Number(lastAccessTime?.seconds ?? 0) * 1000;

/** Whether somebody who gets the tasks asks for them. */
export const isServed = ({ current, pollers, now }: WorkflowQueue): boolean =>
  pollers.some(({ build, seenAt }) => build === current && now - seenAt < pollMs);

const toStart = 'start "epochal server", "epochal up", or "epochal worker --with-control"';

/** What is said to people of a queue that nobody serves; null of one that is served. */
export function unservedSentence(queue: WorkflowQueue): string | null {
  if (isServed(queue)) return null;
  const others = queue.pollers.filter(({ seenAt }) => queue.now - seenAt < pollMs);
  if (others.length === 0) return `no server serves workflows, so every run waits: ${toStart}`;
  const who = [...new Set(others.map(({ identity }) => identity))].join(', ');
  const whose = queue.current === null ? 'workers without a version' : `version ${queue.current}`;
  return `workflows are for ${whose}, which no server has, so every run waits; ${who} serves another version, and its log says why that did not take over`;
}

/** The same, asked by a client; null also where the server does not tell. */
export async function whyUnserved(calls: Calls, queue: string): Promise<string | null> {
  const { connection, options } = calls.client;
  const now = await calls
    .within(5, null, () => workflowQueueNow(connection, options.namespace, queue))
    .catch(() => null);
  return now && unservedSentence(now);
}

/** Workers that ask the server for work: each polls for the activities of the workflows' queue under the name `epochal:<pool>:<host>`. */
import { name } from '../contracts/names.ts';
import type { Calls } from './calls.ts';

export interface SeenWorker {
  pool: string;
  host: string;
  /** When it last asked for work; null where the server does not say. */
  seenAt: Date | null;
}

/** `enums.v1.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY` */
const activityTasks = 2;

/** The server remembers a poller for some minutes, so one may be named that is gone. By pool and host. */
export async function workersSeen(calls: Calls, workflowQueue: string): Promise<SeenWorker[]> {
  const { client } = calls;
  const { pollers } = await calls.within(5, null, () =>
    client.connection.workflowService.describeTaskQueue({
      namespace: client.options.namespace,
      taskQueue: { name: workflowQueue },
      taskQueueType: activityTasks,
    }),
  );
  const seen = new Map<string, SeenWorker>();
  for (const { identity, lastAccessTime } of pollers ?? []) {
    const [prefix, pool, host] = identity?.split(':') ?? [];
    if (prefix !== 'epochal' || !name.safeParse(pool).success || !name.safeParse(host).success || !pool || !host)
      continue;
    const seenAt = lastAccessTime ? new Date(Number(lastAccessTime.seconds ?? 0) * 1000) : null;
    const before = seen.get(identity ?? '');
    if (!before || (seenAt && before.seenAt && seenAt > before.seenAt))
      seen.set(identity ?? '', { pool, host, seenAt });
  }
  return [...seen.values()].sort((a, b) => (`${a.pool} ${a.host}` < `${b.pool} ${b.host}` ? -1 : 1));
}

/** Which hosts serve a pool, by the pollers of its control queue. */
import type { HostStatus, KeptFolder } from '../contracts/host-messages.ts';
import { poolControlQueue } from '../contracts/queues.ts';
import type { Calls } from './calls.ts';

/** `enums.v1.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY` */
const activityQueue = 2;

/** A host of a pool, or why it does not answer. */
export type HostAnswer = { ok: true; status: HostStatus } | { ok: false; host: string; problem: string };
export type KeptAnswer =
  | { host: string; ok: true; folders: KeptFolder[] }
  | { host: string; ok: false; problem: string };

/**
 * Host ids in order. The server remembers a poller for some minutes, so a host may be named that is gone.
 * A worker's identity is `epochal:<pool>:<host>`.
 */
export async function hostsOfPool(calls: Calls, pool: string): Promise<string[]> {
  const { client } = calls;
  const { pollers } = await calls.within(10, null, () =>
    client.connection.workflowService.describeTaskQueue({
      namespace: client.options.namespace,
      taskQueue: { name: poolControlQueue(pool) },
      taskQueueType: activityQueue,
    }),
  );
  const prefix = `epochal:${pool}:`;
  const hosts = (pollers ?? []).flatMap(({ identity }) =>
    identity?.startsWith(prefix) ? [identity.slice(prefix.length)] : [],
  );
  return [...new Set(hosts)].sort();
}

/** Which hosts serve a pool, by the pollers of its control queue. */
import type { HostMaterials, MaterialsQuestion } from '../contracts/host-materials.ts';
import type { HostStatus, KeptFolder } from '../contracts/host-messages.ts';
import { poolControlQueue } from '../contracts/queues.ts';
import type { Calls } from './calls.ts';
import { ConfigError, NoWorkerError, WorkerFailedError } from './errors.ts';
import type { WorkerQuestions } from './worker-questions.ts';

/** `enums.v1.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY` */
const activityQueue = 2;

/** A host of a pool, or why it does not answer. */
export type HostAnswer = { ok: true; status: HostStatus } | { ok: false; host: string; problem: string };
export type KeptAnswer =
  | { host: string; ok: true; folders: KeptFolder[] }
  | { host: string; ok: false; problem: string };
export type MaterialsAnswer = { host: string } & ({ ok: true; found: HostMaterials } | { ok: false; problem: string });

/** A host that does not answer is an answer; anything else is an error. */
export function passingProblem(error: unknown): string {
  if (error instanceof NoWorkerError || error instanceof WorkerFailedError) return error.message;
  throw error;
}

/** Also a host without the trainer is an answer. */
export async function materialsInPool(
  calls: Calls,
  workers: Pick<WorkerQuestions, 'materials'>,
  { pool, ...question }: MaterialsQuestion & { pool: string },
): Promise<MaterialsAnswer[]> {
  const ask = (host: string) =>
    workers.materials(host, question).then(
      (found): MaterialsAnswer => ({ host, ok: true, found }),
      (error: unknown): MaterialsAnswer => ({
        ...{ host, ok: false },
        problem: error instanceof ConfigError ? error.message : passingProblem(error),
      }),
    );
  return Promise.all((await hostsOfPool(calls, pool)).map(ask));
}

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

/**
 * A question of a run that its worker never hears: the server has given it to a poll, and the answer to that was lost. Here the poll is one of
 * the test, in the name of the worker.
 */
import { decoded } from '../../client/temporal-client.ts';
import { hostQueue } from '../../contracts/queues.ts';
import type { TestHost } from './test-host.ts';

/** The server answers that there is nothing before that. */
const pollMs = 90_000;

/** Polls beside the worker until the server gives this poll the activity that is wanted, and answers what it was asked. */
export async function loseQuestion(
  { client, connection, settings, worker }: TestHost,
  activity: string,
): Promise<unknown> {
  const { workflowService } = client;
  const { namespace } = client.options;
  const identity = `epochal:${settings.pool}:${worker.host.id}`;
  for (;;) {
    const asked = { namespace, identity, taskQueue: { name: hostQueue(worker.host.id) } };
    const task = await connection.withDeadline(Date.now() + pollMs, () => workflowService.pollActivityTaskQueue(asked));
    if (task.activityType?.name === activity) return decoded(client.options, task.input?.payloads?.[0]);
    // Of anything else its worker is to hear.
    if (!task.taskToken?.length) continue;
    const failure = { message: 'not wanted', applicationFailureInfo: { type: 'notWanted' } };
    await workflowService.respondActivityTaskFailed({ namespace, identity, taskToken: task.taskToken, failure });
  }
}

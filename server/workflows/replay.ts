/** Whether this version of the workflow code goes on with what others began: the newest open runs are replayed with it. */
import type { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import type { Conversion } from '../../client/temporal-client.ts';
import type { Bundle } from './workflow-bundle.ts';

/** The newest tell as much as all, and a server that starts should serve. */
const mostReplayed = 20;

/** One sentence for each run that it cannot go on with. Throws while the server does not answer. */
export async function replayOpenRuns(
  client: Client,
  queue: string,
  { codePath }: Pick<Bundle, 'codePath'>,
  { dataConverter }: Conversion,
): Promise<string[]> {
  const query = `TaskQueue = '${queue}' AND ExecutionStatus = 'Running'`;
  const histories = [];
  for await (const { workflowId, runId } of client.workflow.list({ query })) {
    if (histories.length === mostReplayed) break;
    // It may have ended meanwhile, which is as good to replay; or be gone.
    const history = await client.workflow
      .getHandle(workflowId, runId)
      .fetchHistory()
      .catch(() => null);
    if (history) histories.push({ workflowId, history });
  }
  if (histories.length === 0) return [];
  const options = { workflowBundle: { codePath }, ...(dataConverter ? { dataConverter } : {}) };
  const problems: string[] = [];
  for await (const { workflowId, error } of Worker.runReplayHistories(options, histories)) {
    if (error) problems.push(`${workflowId} (${error.message.split('\n', 1)[0]})`);
  }
  return problems;
}

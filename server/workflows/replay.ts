/** Whether this version of the workflow code goes on with what others began: the newest open runs of each state are replayed with it. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import type { Conversion } from '../../client/temporal-client.ts';
import { runStateSchema } from '../../contracts/receipt.ts';
import { attributes } from '../../contracts/search-attributes.ts';
import { tellLaterState } from '../../contracts/tell-later.ts';
import { deadline } from '../../worker/deadline.ts';
import { uncounted } from './run-metrics.ts';
import { codeOf, notFound } from './status-codes.ts';
import type { Bundle } from './workflow-bundle.ts';

/** Those of a state tell as much as all of them, and a server that starts should serve. */
const mostOfState = 5;
/** Milliseconds. */
const replayedWithin = 120_000;

interface OpenHistory {
  workflowId: string;
  history: unknown;
}

/** One sentence for each run that it cannot go on with. Throws while the server does not answer, when it takes too long, and when aborted. */
export async function replayOpenRuns(
  client: Client,
  queue: string,
  { codePath }: Pick<Bundle, 'codePath'>,
  { dataConverter }: Conversion,
  signal: AbortSignal,
): Promise<string[]> {
  const options = { workflowBundle: { codePath }, sinks: uncounted, ...(dataConverter ? { dataConverter } : {}) };
  const replayed = async (stop: AbortSignal) => {
    const problems: string[] = [];
    try {
      for await (const { workflowId, error } of Worker.runReplayHistories(options, openHistories(client, queue, stop)))
        if (error) problems.push(`${workflowId} (${error.message.split('\n', 1)[0]})`);
    } finally {
      await stopDebugging();
    }
    return problems;
  };
  return within(replayedWithin, signal, (stop) => client.withAbortSignal(stop, () => replayed(stop)));
}

/**
 * A replay runs in this thread, as what is debugged does: the SDK then has a function compiled for each promise of the whole process, at its beginning and at
 * its end, for as long as the process lives. That is no part of what the SDK promises to have, and a process without it is only slower.
 */
async function stopDebugging(): Promise<void> {
  const shared = await import('@temporalio/worker/lib/workflow/vm-shared.js').catch(() => null);
  shared?.globalHandlers?.uninstall?.();
}

/** One after the other, as they are asked for: histories may be long. */
export async function* openHistories(client: Client, queue: string, signal: AbortSignal): AsyncGenerator<OpenHistory> {
  const seen = new Set<string>();
  // A salvage has no state.
  for (const state of [...[...runStateSchema.options, tellLaterState].map((name) => `= '${name}'`), 'IS NULL']) {
    const query = `TaskQueue = '${queue}' AND ExecutionStatus = 'Running' AND ${attributes.state.name} ${state}`;
    let listed = 0;
    for await (const { workflowId, runId } of client.workflow.list({ query, pageSize: mostOfState })) {
      signal.throwIfAborted();
      if (++listed > mostOfState) break;
      // Between two lists it may have gone from one state to the next.
      if (seen.has(runId)) continue;
      seen.add(runId);
      const history = await historyOf(client, workflowId, runId);
      if (history !== null) yield { workflowId, history };
    }
  }
}

/** Of one that ended meanwhile, too, which is as good to replay. Null when it is gone. */
async function historyOf(client: Client, workflowId: string, runId: string): Promise<unknown> {
  try {
    return await client.workflow.getHandle(workflowId, runId).fetchHistory();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError || codeOf(error) === notFound) return null;
    throw error;
  }
}

/** Returns at once when aborted or late; what was begun ends by itself when it sees the signal. */
export async function within<T>(ms: number, signal: AbortSignal, work: (stop: AbortSignal) => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const stop = deadline(ms, signal, 'open runs were not replayed');
  const aborted = new Promise<never>((_, reject) => {
    stop.addEventListener('abort', () => reject(stop.reason), { once: true });
  });
  return Promise.race([aborted, work(stop)]);
}

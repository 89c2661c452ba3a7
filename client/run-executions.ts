/** Workflow executions as the server's visibility lists them, and what their search attributes hold. */
import type { temporal } from '@temporalio/proto';
import { z } from 'zod';
import type { Calls } from './calls.ts';

export type Execution = temporal.api.workflow.v1.IWorkflowExecutionInfo;

/** A person waits. */
export const callSeconds = 10;

export async function list(
  calls: Calls,
  query: string,
  pageSize: number,
  cursor: string | null,
): Promise<{ executions: Execution[]; next: string | null }> {
  const { client } = calls;
  const answer = await calls.within(callSeconds, null, () =>
    client.connection.workflowService.listWorkflowExecutions({
      namespace: client.options.namespace,
      query,
      pageSize,
      ...(cursor === null ? {} : { nextPageToken: Buffer.from(cursor, 'base64url') }),
    }),
  );
  const token = answer.nextPageToken;
  return {
    executions: answer.executions ?? [],
    next: token && token.length > 0 ? Buffer.from(token).toString('base64url') : null,
  };
}

export const attributeOf = ({ searchAttributes }: Execution, key: string): unknown => {
  const data = searchAttributes?.indexedFields?.[key]?.data;
  return data && data.length > 0 ? JSON.parse(Buffer.from(data).toString('utf8')) : undefined;
};

export const textOf = (execution: Execution, key: string): string | null =>
  z.string().safeParse(attributeOf(execution, key)).data ?? null;

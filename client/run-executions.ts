/** Workflow executions as the server's visibility lists them, and what their search attributes hold. */

import type { temporal } from '@temporalio/proto';
import { z } from 'zod';
import { placeMemo } from '../contracts/life.ts';
import { placeName } from '../contracts/names.ts';
import type { Attribute } from '../contracts/search-attributes.ts';
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

const idOf = ({ execution }: Execution): string => execution?.workflowId ?? '';
const startOf = ({ startTime }: Execution): number => Number(startTime?.seconds ?? 0) + (startTime?.nanos ?? 0) / 1e9;

export const newestFirst = (executions: readonly Execution[]): Execution[] =>
  [...executions].sort((a, b) => startOf(b) - startOf(a));

/** In their order. A run id means its newest life: one that was reset is there with the execution that it was reset from, too. */
export function newestLives(executions: readonly Execution[]): Execution[] {
  const newest = new Map<string, Execution>();
  for (const one of newestFirst(executions)) if (!newest.has(idOf(one))) newest.set(idOf(one), one);
  return executions.filter((one) => newest.get(idOf(one)) === one);
}

/** Where the run has its files: by its id, unless it has told another place. */
export function placeOfExecution(execution: Execution): string {
  const data = execution.memo?.fields?.[placeMemo]?.data;
  const told: unknown = data && data.length > 0 ? JSON.parse(Buffer.from(data).toString('utf8')) : null;
  return placeName.safeParse(told).data ?? idOf(execution);
}

export const attributeOf = ({ searchAttributes }: Execution, { name }: Attribute): unknown => {
  const data = searchAttributes?.indexedFields?.[name]?.data;
  return data && data.length > 0 ? JSON.parse(Buffer.from(data).toString('utf8')) : undefined;
};

export const textOf = (execution: Execution, attribute: Attribute): string | null =>
  z.string().safeParse(attributeOf(execution, attribute)).data ?? null;

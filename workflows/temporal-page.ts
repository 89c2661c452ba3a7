/** Links from one workflow to another in the Temporal UI, which shows a workflow's details as Markdown. */
import * as wf from '@temporalio/workflow';

export function pageOf(id: string): string {
  const namespace = encodeURIComponent(wf.workflowInfo().namespace);
  return `[${id}](/namespaces/${namespace}/workflows/${encodeURIComponent(id)})`;
}

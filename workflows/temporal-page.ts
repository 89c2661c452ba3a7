/** Links from one workflow to another in the Temporal UI, which shows a workflow's details as Markdown. */
import * as wf from '@temporalio/workflow';
import { plain } from './markdown.ts';

export function pageOf(id: string): string {
  return `[${plain(id)}](/namespaces/${inAddress(wf.workflowInfo().namespace)}/workflows/${inAddress(id)})`;
}

/** A parenthesis would end the link. */
const inAddress = (text: string) => encodeURIComponent(text).replaceAll('(', '%28').replaceAll(')', '%29');

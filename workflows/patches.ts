/** Rules that came later, of which a history that was begun before knows nothing. */
import * as wf from '@temporalio/workflow';

/** Asked where a rule would change something, and nowhere else: the answer is in the history. Outside a workflow, as in tests of pure parts, all hold. */
export const holdsHere = (patch: string): boolean => !wf.inWorkflowContext() || wf.patched(patch);

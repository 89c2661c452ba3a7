/** What is worth telling of a transition, in sentences for the people watching. Pure. */
import type { RunContext } from './run-context.ts';

export function tellChange(before: RunContext, after: RunContext, event: { type: string } | null): string[] {
  const told: string[] = [];
  if (after.restarts.length > before.restarts.length || after.restarts.at(-1) !== before.restarts.at(-1)) {
    const restart = after.restarts.at(-1);
    if (restart?.reason === 'preemption') told.push('preempted: the host hands the run over');
    else if (restart?.failure) told.push(`${restart.failure.kind}: ${restart.failure.message}`);
  }
  if (after.session && after.session.id !== before.session?.id) {
    const { host, resumedFrom } = after.session;
    const from = resumedFrom ? ` from epoch ${resumedFrom.epoch}, batch ${resumedFrom.batch}` : '';
    told.push(`trains on ${host}${from}`);
  }
  if (after.endedEarly && !before.endedEarly) {
    told.push(`the trainer ended early, after epoch ${after.endedEarly.epoch}: ${after.endedEarly.reason}`);
  }
  if (after.batchDivisor > before.batchDivisor) {
    told.push(`batch divided by ${after.batchDivisor}, gradients accumulated instead`);
  }
  if (after.notAfter && !before.notAfter) told.push(`rolled back to epoch ${after.notAfter.epoch}`);
  if (event?.type === 'STOP' && after.stop) told.push(`stop (${after.stop.mode}) by ${after.stop.by}`);
  if (event?.type === 'PAUSE') told.push('pause');
  if (event?.type === 'RESUME') told.push('resume');
  for (const note of after.notes) if (!before.notes.includes(note)) told.push(note);
  if (after.failure?.kind === 'hang' && !before.failure) told.push(`hang: ${after.failure.message}`);
  if (after.publishFailure && !before.publishFailure) told.push(`publishing failed: ${after.publishFailure.message}`);
  return told;
}

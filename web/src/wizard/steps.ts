/** The steps of a new run, and which fields are asked in which. Pure. */
import type { ConfigProblem } from '../../../contracts/failure.ts';

export const steps = [
  { name: 'data', label: 'Data', fields: ['data'] },
  { name: 'trainer', label: 'Trainer', fields: ['trainer', 'epochs', 'seed', 'continueFrom'] },
  { name: 'parameters', label: 'Parameters', fields: ['parameters'] },
  { name: 'safety', label: 'Checkpoints & recovery', fields: ['checkpoints', 'failures', 'deadlines'] },
  {
    name: 'where',
    label: 'Destination & resources',
    fields: ['run', 'project', 'pool', 'priority', 'fairnessKey', 'store', 'trackers'],
  },
] as const;
export type StepName = (typeof steps)[number]['name'];

/** Index of the step that asks for the field; what no step asks for is seen in the YAML beside the last one. */
export function stepOf({ field }: ConfigProblem): number {
  const first = /^[^.[]*/.exec(field)?.[0] ?? '';
  const index = steps.findIndex(({ fields }) => (fields as readonly string[]).includes(first));
  return index < 0 ? steps.length - 1 : index;
}

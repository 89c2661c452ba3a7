import { Badge } from '@mantine/core';
import type { Outcome, RunState } from '../../../contracts/receipt.ts';

const stateColors: Readonly<Record<RunState, string>> = {
  configuring: 'gray',
  training: 'indigo',
  stopping: 'orange',
  uploading: 'violet',
  stopped: 'gray',
};
const outcomeColors: Readonly<Record<Outcome, string>> = {
  completed: 'teal',
  stopped: 'gray',
  salvaged: 'orange',
  failed: 'red',
  lost: 'pink',
};

interface StateBadgeProps {
  state: RunState | null;
  outcome: Outcome | null;
  /** `training.paused` says more than `training`. */
  detail?: string | undefined;
}

/** Where a run is; once it is over, what it came to. */
export function StateBadge({ state, outcome, detail }: StateBadgeProps) {
  const inner = detail?.split('.')[1];
  const paused = inner === 'paused';
  const shown = outcome ?? (paused ? 'paused' : state === 'configuring' ? 'draft' : (state ?? 'starting'));
  const color = outcome ? outcomeColors[outcome] : paused ? 'yellow' : state ? stateColors[state] : 'gray';
  return (
    <Badge color={color} className={`badge-${color}`} tt="none" size="md">
      {shown}
    </Badge>
  );
}

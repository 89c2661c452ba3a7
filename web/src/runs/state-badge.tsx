import { Badge } from '@mantine/core';
import type { Standing } from '../../../contracts/run-summary.ts';

const looks: Readonly<Record<Standing, { color: string; means?: string }>> = {
  draft: { color: 'gray' },
  checking: { color: 'gray', means: 'A worker checks its configuration' },
  waiting: { color: 'yellow', means: 'Waits for a free slot' },
  starting: { color: 'indigo', means: 'Its trainer is being made ready' },
  training: { color: 'indigo' },
  recovering: { color: 'orange', means: 'Waits before another attempt' },
  pausing: { color: 'yellow' },
  paused: { color: 'yellow' },
  stopping: { color: 'orange' },
  uploading: { color: 'violet' },
  salvaging: { color: 'orange', means: 'It was ended by force; what is left of it is being published' },
  ended: { color: 'orange', means: 'It was ended by force; what is left of it is not known yet' },
  unknown: { color: 'gray', means: 'No worker has taken it up yet' },
  completed: { color: 'teal' },
  stopped: { color: 'gray' },
  salvaged: { color: 'orange', means: 'It was ended by force; what was found of it is published' },
  failed: { color: 'red' },
  lost: { color: 'pink', means: 'It was ended by force, and nothing of it was found' },
};

/** Where a run stands; once it is over, what it came to. */
export function StateBadge({ standing }: { standing: Standing }) {
  const { color, means } = looks[standing];
  return (
    <Badge color={color} className={`badge badge-${color}`} tt="none" size="md" title={means} data-standing={standing}>
      {standing}
    </Badge>
  );
}

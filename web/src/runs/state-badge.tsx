import { Badge } from '@mantine/core';
import type { Standing } from '../../../contracts/run-summary.ts';

const looks: Readonly<Record<Standing, { color: string; means?: string }>> = {
  draft: { color: 'gray' },
  checking: { color: 'gray', means: 'A worker validates its configuration' },
  waiting: { color: 'yellow', means: 'Waiting for a free slot' },
  starting: { color: 'indigo', means: 'Its trainer is starting' },
  training: { color: 'indigo' },
  recovering: { color: 'orange', means: 'Waiting before the next restart' },
  pausing: { color: 'yellow' },
  paused: { color: 'yellow' },
  stopping: { color: 'orange' },
  uploading: { color: 'violet' },
  salvaging: { color: 'orange', means: 'Ended by force; what is left is being published' },
  ended: { color: 'orange', means: 'Ended by force; what is left is not known yet' },
  unknown: { color: 'gray', means: 'No worker has picked it up yet' },
  completed: { color: 'teal' },
  stopped: { color: 'gray' },
  salvaged: { color: 'orange', means: 'Ended by force; what was found was published' },
  failed: { color: 'red' },
  lost: { color: 'pink', means: 'Ended by force; nothing was found' },
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

/**
 * What the task of a Supervisely server logs of a run: lines as its SDK writes them (`sly_logger.py`, `task/progress.py`), which the agent reads from the output of the app. Those of progress
 * move the bar of the task. Pure.
 */
import type { ObservedEvent } from '../contracts/observed-events.ts';
import { noticeOf } from './notice.ts';
import type { ObservedRun } from './observer.ts';

export type TaskLine = Readonly<Record<string, unknown>> & {
  message: string;
  level: 'info' | 'error';
  timestamp: string;
};

export function taskLines(event: ObservedEvent, run: ObservedRun): TaskLine[] {
  const line = (message: string, more: Record<string, unknown> = {}, level: TaskLine['level'] = 'info'): TaskLine => ({
    ...{ message, level, timestamp: event.at, run: run.run },
    ...more,
  });
  if (event.kind === 'epoch') {
    const { epoch, metrics } = event.data;
    const counted = { subtask: `${run.run}: epochs`, current: epoch, total: Math.max(epoch, run.epochs) };
    return [
      line('progress', { event_type: 'EventType.PROGRESS', ...counted }),
      line('metrics', { event_type: 'EventType.METRICS', type: 'train', epoch, metrics }),
    ];
  }
  if (event.kind === 'state') return [line(`${run.run}: ${event.data.state}`)];
  const { title, lines } = noticeOf(event, run, null);
  const isError = event.kind === 'ended' && ['failed', 'lost'].includes(event.data.outcome);
  return [line(isError ? `${title}: ${lines[0] ?? ''}` : title, {}, isError ? 'error' : 'info')];
}

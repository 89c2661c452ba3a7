/** The Schedule that finds runs without a receipt; whoever serves workflows sees to it that there is one. */
import { type Client, ScheduleAlreadyRunning, ScheduleNotFoundError } from '@temporalio/client';
import { workflowQueue as defaultQueue } from '../../contracts/queues.ts';
import { reconcileType } from '../../contracts/salvage-messages.ts';

const scheduleId = (name: string, workflowQueue: string): string =>
  workflowQueue === defaultQueue ? name : `${name}-${workflowQueue}`;

export async function ensureReconcile(client: Client, workflowQueue: string, everyMinutes: number): Promise<void> {
  try {
    await client.schedule.create({
      scheduleId: scheduleId('epochal-reconcile', workflowQueue),
      spec: { intervals: [{ every: `${everyMinutes}m` }] },
      policies: { overlap: 'SKIP', catchupWindow: '1m' },
      action: {
        type: 'startWorkflow',
        workflowType: reconcileType,
        taskQueue: workflowQueue,
        workflowId: 'epochal-reconcile',
      },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
  await removeFormerSchedule(client, workflowQueue);
}

/** The Schedule as it was called before it was renamed: two would do everything twice. */
async function removeFormerSchedule(client: Client, workflowQueue: string): Promise<void> {
  try {
    await client.schedule.getHandle(scheduleId('epochal-sweep', workflowQueue)).delete();
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  }
}

/** The Schedule that finds runs which nobody reported; whoever serves workflows sees to it that there is one. */
import { type Client, ScheduleAlreadyRunning } from '@temporalio/client';
import { workflowQueue as defaultQueue } from '../../contracts/queues.ts';
import { sweepType } from '../../contracts/salvage-messages.ts';

export async function ensureSweep(client: Client, workflowQueue: string, everyMinutes: number): Promise<void> {
  try {
    await client.schedule.create({
      scheduleId: workflowQueue === defaultQueue ? 'epochal-sweep' : `epochal-sweep-${workflowQueue}`,
      spec: { intervals: [{ every: `${everyMinutes}m` }] },
      policies: { overlap: 'SKIP', catchupWindow: '1m' },
      action: {
        type: 'startWorkflow',
        workflowType: sweepType,
        taskQueue: workflowQueue,
        workflowId: 'epochal-sweep',
      },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}

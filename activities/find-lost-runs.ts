/** Closed runs that left no receipt and that nobody has salvaged: terminated, timed out, or failed in a way of their own. */

import { WorkflowNotFoundError } from '@temporalio/client';
import { isSameLife } from '../contracts/life.ts';
import { type RunConfig, storedRunConfigSchema } from '../contracts/run-config.ts';
import { type RunView, runQuery, trainingRunType } from '../contracts/run-messages.ts';
import { type SalvageActivities, type SalvageInput, salvageId } from '../contracts/salvage-messages.ts';
import { attributes } from '../contracts/search-attributes.ts';
import { outputPath, StoreError } from '../stores/artifact-store.ts';
import { OtherLife, outputOwner } from '../worker/claims.ts';
import type { Host } from '../worker/host.ts';
import { working } from './activity-support.ts';

const query = [
  `WorkflowType = "${trainingRunType}"`,
  'ExecutionStatus IN ("Terminated", "TimedOut", "Failed", "Canceled")',
  // A run that ended itself is in `stopped`; one that never trained has nothing to land.
  `${attributes.state.name} IN ("training", "stopping", "uploading")`,
].join(' AND ');

export const findLostRuns =
  (host: Host): SalvageActivities['findLostRuns'] =>
  () =>
    working('find runs without a receipt', async () => {
      const { client } = host.runs;
      const lost: SalvageInput[] = [];
      for await (const { workflowId, runId, taskQueue } of client.workflow.list({ query })) {
        if (taskQueue !== host.settings.workflowQueue) continue;
        const view = await client.workflow
          .getHandle(workflowId, runId)
          .query<RunView>(runQuery)
          .catch(() => null);
        const config = storedRunConfigSchema.safeParse(view?.config).data ?? null;
        if (!view || !config) {
          host.log.warn({ run: workflowId }, 'a closed run has no receipt, and no configuration was found for it');
          continue;
        }
        const place = view.place ?? workflowId;
        const chain = view.chain ?? [runId];
        if ((await hasSalvage(place)) || !(await hasClaimed(config, place, chain))) continue;
        const owner = view.session?.host ?? view.checkpoints.at(-1)?.host ?? null;
        const { hostReturnSeconds } = host.settings;
        lost.push({
          run: workflowId,
          place,
          chain,
          config,
          ledger: view.checkpoints,
          host: owner,
          pool: config.pool,
          hostReturnSeconds,
        });
      }
      return lost;

      /** A life that was ended before it had a place of its own has nothing to land: what it knew of is another's. */
      async function hasClaimed(config: RunConfig, place: string, chain: readonly string[]): Promise<boolean> {
        try {
          const owner = await outputOwner(await host.stores.of(config), outputPath(config.project, place));
          return owner === null || isSameLife(owner, host.runs.life(chain));
        } catch (error) {
          if (error instanceof OtherLife) return false;
          // The salvage waits for a store that is unavailable, and asks it again.
          if (error instanceof StoreError) return true;
          throw error;
        }
      }

      async function hasSalvage(place: string): Promise<boolean> {
        try {
          const { status } = await client.workflow.getHandle(salvageId(place)).describe();
          return status.name === 'RUNNING' || status.name === 'COMPLETED';
        } catch (error) {
          if (error instanceof WorkflowNotFoundError) return false;
          throw error;
        }
      }
    });

/** What is left of a run that could not end itself, on this host and in the store. */

import { basename } from 'node:path';
import { ApplicationFailure } from '@temporalio/activity';
import { type CheckpointManifest, checkpointManifestSchema } from '../contracts/checkpoint.ts';
import { epochResultSchema } from '../contracts/protocol.ts';
import type { SalvageActivities, Survey } from '../contracts/salvage-messages.ts';
import { outputPath, readText } from '../stores/artifact-store.ts';
import { isWhole } from '../worker/checkpoints.ts';
import type { Host } from '../worker/host.ts';
import { endPredecessor } from '../worker/predecessor.ts';
import { readIfThere } from '../worker/run-folders.ts';
import { jsonLines, parseJson, readManifests, readRunFile } from '../worker/run-report.ts';
import { surveyed, surveyedEpochs } from '../worker/survey-bounds.ts';
import { readKept } from '../worker/upkeep.ts';
import { withStore, working } from './activity-support.ts';

export const surveyHost =
  (host: Host): SalvageActivities['surveyHost'] =>
  (place) =>
    working('survey the run folder', async (signal, progress) => {
      const folder = host.folders.of(place);
      const { run } = folder;
      const file = await readRunFile(folder);
      if (file && host.runs.isForeign(file.life)) {
        const message = `run is ${JSON.stringify(place)}: ${folder.path} is of a run in another namespace`;
        throw ApplicationFailure.nonRetryable(message, 'Invalid');
      }
      if (await host.runs.isOpen(run, file?.life ?? null)) {
        throw ApplicationFailure.nonRetryable(`run is ${JSON.stringify(place)}: it is not over`, 'Invalid');
      }
      const config = file?.config ?? null;
      const limits = config?.deadlines ?? { stopSeconds: 60, terminateSeconds: 15 };
      progress.doing = 'ending what still trains';
      await host.sessions.endRun(place, limits, signal);
      await endPredecessor(folder, limits, signal, host.log.child({ run }));
      const manifests = await surveyed(await readManifests(folder), config, (manifest) => {
        progress.doing = `verifying ${manifest.name}`;
        return isWhole(`${folder.checkpoints}/${manifest.name}`, manifest, signal);
      });
      const checkpoints = manifests.map((manifest) => ({ ...manifest, host: host.id, stored: false, reasons: [] }));
      const rows = jsonLines(epochResultSchema, await readIfThere(folder.metrics));
      const epochs = surveyedEpochs(rows, checkpoints);
      const receipt = (await readKept(folder))?.receipt ?? null;
      return {
        config,
        chain: file?.life.chain ?? null,
        origin: file?.origin,
        checkpoints,
        epochs,
        receipt,
        outputFolder: null,
      };
    });

export const surveyStore =
  (host: Host): SalvageActivities['surveyStore'] =>
  ({ place, config }) =>
    working('surveying the store', (signal, progress) =>
      withStore(async (): Promise<Survey> => {
        const store = await host.stores.of(config);
        const output = outputPath(config.project, place);
        const manifests: CheckpointManifest[] = [];
        for await (const { path } of store.list(`${output}/checkpoints`)) {
          signal.throwIfAborted();
          if (basename(path) !== 'checkpoint.json') continue;
          progress.doing = `read ${path}`;
          const manifest = parseJson(checkpointManifestSchema, (await readText(store, path)) ?? '');
          if (manifest) manifests.push(manifest);
        }
        const told = await surveyed(manifests, config, async () => true);
        const checkpoints = told.map((manifest) => ({ ...manifest, host: '', stored: true, reasons: [] }));
        const rows = await readText(store, `${output}/metrics.jsonl`);
        return {
          config,
          chain: null,
          checkpoints,
          epochs: surveyedEpochs(jsonLines(epochResultSchema, rows), checkpoints),
          receipt: await host.closedRuns.landedReceipt(place, config),
          outputFolder: `${store.address}/${output}`,
        };
      }),
    );

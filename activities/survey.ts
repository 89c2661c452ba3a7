/** What is left of a run that could not end itself, on this host and in the store. */

import { basename } from 'node:path';
import { ApplicationFailure } from '@temporalio/activity';
import type { z } from 'zod';
import { checkpointManifestSchema, type LedgerEntry } from '../contracts/checkpoint.ts';
import { epochResultSchema } from '../contracts/protocol.ts';
import { type Receipt, receiptSchema } from '../contracts/receipt.ts';
import type { SalvageActivities, Survey } from '../contracts/salvage-messages.ts';
import { type ArtifactStore, outputPath } from '../stores/artifact-store.ts';
import { isWhole } from '../worker/checkpoints.ts';
import type { Host } from '../worker/host.ts';
import { endPredecessor } from '../worker/predecessor.ts';
import { jsonLines, readManifests, readReport, readRunConfig } from '../worker/run-report.ts';
import { readKept } from '../worker/upkeep.ts';
import { withStore, working } from './activity-support.ts';

export const surveyHost =
  (host: Host): SalvageActivities['surveyHost'] =>
  (run) =>
    working('survey the run folder', async (signal, progress) => {
      if (await host.runs.isOpen(run)) {
        throw ApplicationFailure.nonRetryable(`run is ${JSON.stringify(run)}: it is not over`, 'Invalid');
      }
      const folder = host.folders.of(run);
      const config = await readRunConfig(folder);
      const limits = config?.deadlines ?? { stopSeconds: 60, terminateSeconds: 15 };
      progress.doing = 'end what still trains';
      await host.sessions.endRun(run, limits, signal);
      await endPredecessor(folder, limits, signal, host.log.child({ run }));
      const checkpoints: LedgerEntry[] = [];
      for (const manifest of await readManifests(folder)) {
        progress.doing = `verify ${manifest.name}`;
        const whole = await isWhole(`${folder.checkpoints}/${manifest.name}`, manifest, signal);
        if (whole) checkpoints.push({ ...manifest, host: host.id, stored: false, reasons: [] });
      }
      const { epochs } = await readReport(folder, { epoch: 0, checkpoints: [] });
      return { config, checkpoints, epochs, receipt: (await readKept(folder))?.receipt ?? null, outputFolder: null };
    });

export const surveyStore =
  (host: Host): SalvageActivities['surveyStore'] =>
  ({ run, config }) =>
    working('survey the store', (signal, progress) =>
      withStore(async (): Promise<Survey> => {
        const store = host.storeOf(config);
        const output = outputPath(config.project, run);
        const checkpoints: LedgerEntry[] = [];
        for await (const { path } of store.list(`${output}/checkpoints`)) {
          signal.throwIfAborted();
          if (basename(path) !== 'checkpoint.json') continue;
          progress.doing = `read ${path}`;
          const manifest = parse(checkpointManifestSchema, await text(store, path));
          if (manifest) checkpoints.push({ ...manifest, host: '', stored: true, reasons: [] });
        }
        const rows = await text(store, `${output}/metrics.jsonl`);
        return {
          config,
          checkpoints,
          epochs: jsonLines(epochResultSchema, rows),
          receipt: await receiptOf(store, output),
          outputFolder: `${store.address}/${output}`,
        };
      }),
    );

const receiptOf = async (store: ArtifactStore, output: string): Promise<Receipt | null> =>
  parse(receiptSchema, await text(store, `${output}/receipt.json`));

async function text(store: ArtifactStore, path: string): Promise<string | null> {
  const bytes = await store.read(path);
  return bytes && Buffer.from(bytes).toString('utf8');
}

function parse<T extends z.ZodType>(schema: T, content: string | null): z.output<T> | null {
  try {
    return content === null ? null : (schema.safeParse(JSON.parse(content)).data ?? null);
  } catch {
    return null;
  }
}

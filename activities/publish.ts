/** Publishes a run: every kept checkpoint verified in the store, then everything else, then the receipt. */
import { stat } from 'node:fs/promises';
import { stringify } from 'yaml';
import { batchesFile } from '../contracts/batch-rows.ts';
import { isFallback, type LedgerEntry } from '../contracts/checkpoint.ts';
import { dataReportFile, dataSummaryOf, largestDataReport, readDataReport } from '../contracts/data-report.ts';
import { name as nameSchema } from '../contracts/names.ts';
import type { PublishedFile } from '../contracts/receipt.ts';
import type { Published, PublishInput } from '../contracts/run-activities.ts';
import { storedRunConfigSchema } from '../contracts/run-config.ts';
import { outputPath, readText, type TransferOptions } from '../stores/artifact-store.ts';
import { fileListName, namedOf } from '../stores/file-list.ts';
import { damagedHere, removeStrays } from '../worker/checkpoints.ts';
import { claimOutput, requireFolder } from '../worker/claims.ts';
import type { Host } from '../worker/host.ts';
import { landCheckpoints } from '../worker/landed-checkpoints.ts';
import { endPredecessor } from '../worker/predecessor.ts';
import { leftOutNotes, publishedFiles } from '../worker/published-files.ts';
import { type RunFolder, readIfThere } from '../worker/run-folders.ts';
import { factsOf, sealReceipt } from '../worker/sealed-receipt.ts';
import { landPages } from '../worker/stored-pages.ts';
import { cutBatchRows, cutRows, firstRows, restoreRows, storedSystemRows } from '../worker/stored-rows.ts';
import { longestDoing, withStore, working } from './activity-support.ts';

export const publish =
  (host: Host) =>
  (input: PublishInput): Promise<Published> =>
    working('publish', (signal, progress) =>
      withStore(() => {
        // What still stores for the run, and keeps this waiting, is told of its cancel at once.
        host.watched.watch(input.run);
        return host.outputs.runExclusive(input.place, signal, async () => {
          const { run, place, config, receipt } = input;
          const store = await host.stores.of(config);
          const output = outputPath(config.project, place);
          const life = host.runs.life(input.chain);
          await claimOutput(store, output, run, life);
          const options: TransferOptions = {
            signal,
            onBytes: (bytes) => {
              progress.bytes = (progress.bytes ?? 0) + bytes;
            },
            onWait: (why) => {
              progress.doing = `publishing: ${why}`.slice(0, longestDoing);
            },
          };
          const folder = input.host === null ? null : host.folders.of(place);
          if (folder) await requireFolder(folder, life);
          // Nothing may still write into what is read now.
          if (folder) await endPredecessor(folder, config.deadlines, signal, host.log.child({ run }));
          progress.totalBytes = await bytesToMove(input.ledger, folder);
          const landing = { store, output, folder, options };
          const { checkpoints, lost } = await landCheckpoints(input.ledger, landing, {
            onCheckpoint: (name) => {
              progress.doing = `publishing checkpoint ${name}`;
            },
            onStored: (createdAt) => host.metrics.stored(createdAt),
          });
          const hasLanded = ({ name }: LedgerEntry) => checkpoints.some((landed) => landed.name === name);
          progress.doing = 'removing checkpoints that the run dropped';
          for (const dropped of input.dropped) await store.remove(`${output}/checkpoints/${nameSchema.parse(dropped)}`);
          await removeStrays(store, output, input.ledger.filter(hasLanded));
          await store.tidy(output);
          // An epoch whose checkpoint is not there is not part of the result.
          const epochs = Math.max(0, ...checkpoints.map(({ epoch }) => epoch));
          const files: PublishedFile[] = [];
          if (folder && (await readIfThere(folder.metrics)) !== null) {
            await restoreRows({ folder, store, output }, epochs, 'local');
            await cutRows(folder, epochs);
          } else {
            // Also of a session that never trained: what the run had before is there.
            const rows = await readText(store, `${output}/metrics.jsonl`);
            const kept = rows && firstRows(rows, epochs);
            if (kept !== null) files.push(inside(output, await store.write(`${output}/metrics.jsonl`, kept)));
          }
          const last = checkpoints.at(-1) ?? { epoch: 0, batch: 0 };
          const batchRows = await cutBatchRows({ folder, store, output }, last);
          if (batchRows) files.push(inside(output, batchRows));
          const pages = await landPages({ folder, store, output }, last);
          files.push(...pages.files.map((file) => inside(output, file)));
          const measured = await storedSystemRows({ folder, store, output });
          if (measured.file) files.push(inside(output, measured.file));
          const report = folder
            ? await readIfThere(folder.dataReport)
            : await readText(store, `${output}/${dataReportFile}`);
          const told = report === null || report.length > largestDataReport ? null : readDataReport(report);
          const data = told && dataSummaryOf(told);
          const leftOut: string[] = [];
          for await (const [path, local] of otherFiles(folder, (link) => leftOut.push(link))) {
            if ((batchRows && path === batchesFile) || pages.isLeftOut(path)) continue;
            progress.doing = `publishing ${path}`;
            files.push(inside(output, await store.publish(local, `${output}/${path}`, options)));
          }
          // In the schema's order, so that whoever publishes it again, a salvage for one, writes the same bytes.
          const yaml = stringify(storedRunConfigSchema.parse(config));
          const published = inside(output, await store.write(`${output}/config.yaml`, yaml));
          files.push(published);
          const facts = await factsOf({
            life,
            store,
            folder,
            output,
            checkpoints,
            receipt,
            files,
            config: published,
            data,
            system: measured.peaks,
          });
          const named = await namedOf(files, async (list) =>
            inside(output, await store.write(`${output}/${fileListName}`, list)),
          );
          const bytes = [...checkpoints.flatMap((checkpoint) => checkpoint.files), ...files].reduce(
            (sum, { size }) => sum + size,
            0,
          );
          const preliminary = { ...receipt, checkpoints, files: named, publishedBytes: bytes, data, ...facts };
          await sealReceipt(store, output, preliminary);
          host.metrics.copied(progress.bytes ?? 0);
          const damaged = folder ? await damagedHere(folder) : [];
          const notes = leftOutNotes(leftOut);
          return { checkpoints, files: named, bytes, lost, damaged, notes, data, facts, host: input.host };
        });
      }),
    );

/** Checkpoints are copied, and then read in the store once more, or only read where they are there; the rest is copied. */
async function bytesToMove(ledger: readonly LedgerEntry[], folder: RunFolder | null): Promise<number> {
  let bytes = 0;
  for (const entry of ledger.filter((one) => !isFallback(one))) {
    const times = folder && !entry.stored ? 2 : 1;
    for (const { size } of entry.files) bytes += times * size;
  }
  for await (const [, local] of otherFiles(folder)) bytes += (await stat(local)).size;
  return bytes;
}

const inside = (output: string, file: PublishedFile): PublishedFile => ({
  ...file,
  path: file.path.slice(output.length + 1),
});

async function* otherFiles(
  folder: RunFolder | null,
  onLeftOut?: (link: string) => void,
): AsyncGenerator<[string, string]> {
  if (folder) yield* publishedFiles(folder, onLeftOut);
}

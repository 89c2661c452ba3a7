/**
 * A life that found another one's files at its place gets a place of its own: what its history resumes from is brought there,
 * verified, and the other life's trainer is ended. What the other life left stays as it is.
 */
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { batchesFile, mostBatchBytes } from '../contracts/batch-rows.ts';
import type { LedgerEntry } from '../contracts/checkpoint.ts';
import { isSameLife, type Life, placeOf } from '../contracts/life.ts';
import type { MovedIn, MoveInInput } from '../contracts/run-activities.ts';
import { type ArtifactStore, outputPath, readText, type TransferOptions } from '../stores/artifact-store.ts';
import { fetchCheckpoint, isWhole, manifestOf, publishCheckpoint, wholeInStore } from '../worker/checkpoints.ts';
import { claimOutput } from '../worker/claims.ts';
import type { Host } from '../worker/host.ts';
import { endPredecessor } from '../worker/predecessor.ts';
import { type RunFolder, readIfThere } from '../worker/run-folders.ts';
import { readRunFile } from '../worker/run-report.ts';
import { mergedBatchRows, mergedRows } from '../worker/stored-rows.ts';
import { readKept } from '../worker/upkeep.ts';
import { withStore, working } from './activity-support.ts';

export const moveIn =
  (host: Host) =>
  (input: MoveInInput): Promise<MovedIn> =>
    working('moving to a place of its own', (signal, progress) =>
      withStore(async () => {
        const { run, config, ledger, epochs } = input;
        const life = host.runs.life(input.chain);
        const store = await host.stores.of(config);
        const place = placeOf(run, input.chain);
        const [before, output] = [input.place, place].map((at) => outputPath(config.project, at)) as [string, string];
        await claimOutput(store, output, run, life);
        const folder = host.folders.of(input.place);
        progress.doing = 'waiting for the trainer of the previous life to exit';
        const processGroupGone = input.host === null ? null : await endOther(host, folder, input, signal);
        const brought: string[] = [];
        const options: TransferOptions = {
          signal,
          onBytes: (bytes) => {
            progress.bytes = (progress.bytes ?? 0) + bytes;
          },
        };
        // What the other life does to its own files meanwhile (it may be landing) comes before or after.
        await host.outputs.runExclusive(input.place, signal, async () => {
          for (const entry of ledger) {
            progress.doing = `copying checkpoint ${entry.name}`;
            if (await bring(host, store, { entry, folder, before, output }, options)) brought.push(entry.name);
          }
          const rows = [await readText(store, `${before}/metrics.jsonl`), await readIfThere(folder.metrics)];
          await store.write(`${output}/metrics.jsonl`, mergedRows(rows, epochs));
          const batches = [
            await readText(store, `${before}/${batchesFile}`),
            await readIfThere(folder.batches, mostBatchBytes),
          ];
          const last = ledger.filter(({ name }) => brought.includes(name)).at(-1);
          if (last && batches.some((text) => text !== null))
            await store.write(`${output}/${batchesFile}`, mergedBatchRows(batches, last));
        });
        if (await isLeft(host, folder)) await host.closedRuns.salvage(folder);
        const shown = (path: string) => `${store.address}/${path}`;
        return { place, outputFolder: shown(output), before: shown(before), brought, processGroupGone };
      }),
    );

/**
 * True: no trainer of it is alive here. A life that is open, in another namespace for one, keeps its trainer; not so this one's own,
 * which leaves this folder, too.
 */
async function endOther(host: Host, folder: RunFolder, { run, config, chain }: MoveInInput, signal: AbortSignal) {
  const life = (await readRunFile(folder))?.life;
  const isOwn = !life || isSameLife(life, host.runs.life(chain));
  if (!isOwn && (await isElsewhere(host, run, life))) return true;
  await host.sessions.endRun(folder.place, config.deadlines, signal);
  await endPredecessor(folder, config.deadlines, signal, host.log.child({ run }));
  return true;
}

/** The other life is over, and nobody has landed what it left here: it was ended from outside. */
async function isLeft(host: Host, folder: RunFolder): Promise<boolean> {
  const file = await readRunFile(folder);
  if (!file || (await readKept(folder)) !== null) return false;
  return !(await isElsewhere(host, folder.run, file.life));
}

const isElsewhere = async (host: Host, run: string, life: Life) =>
  host.runs.isForeign(life) || (await host.runs.isOpen(run, life));

/** From the run folder here, else from the store. False when neither still has it whole, as this life's history knows it. */
async function bring(
  host: Host,
  store: ArtifactStore,
  { entry, folder, before, output }: { entry: LedgerEntry; folder: RunFolder; before: string; output: string },
  options: TransferOptions,
): Promise<boolean> {
  if (await wholeInStore(entry, store, output, options)) return true;
  const manifest = manifestOf(entry);
  const here = join(folder.checkpoints, entry.name);
  const signal = options.signal ?? new AbortController().signal;
  if ((await isWhole(here, manifest, signal)) && (await publishCheckpoint(here, manifest, store, output, options)))
    return true;
  const fetched = join(host.folders.moving, basename(output), entry.name);
  try {
    await rm(fetched, { recursive: true, force: true });
    if (!(await fetchCheckpoint(store, `${before}/checkpoints/${entry.name}`, manifest, fetched, options)))
      return false;
    return await publishCheckpoint(fetched, manifest, store, output, options);
  } finally {
    await rm(fetched, { recursive: true, force: true });
  }
}

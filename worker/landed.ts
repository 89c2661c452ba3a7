/** A run folder of this host against what its run has landed in the store, by the receipt there. */
import { join } from 'node:path';
import { type Receipt, receiptSchema, supersedes } from '../contracts/receipt.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import { outputPath, readText } from '../stores/artifact-store.ts';
import { digestFile } from '../stores/file-digest.ts';
import type { Host } from './host.ts';
import { filesBelow, isBookkeeping, type RunFolder } from './run-folders.ts';
import { parseJson, readManifests } from './run-report.ts';

/** Where a run lands. */
export type Destination = Pick<RunConfig, 'store' | 'storeIdentity' | 'project'>;

/** Whether what the run came to is in the store, and what is here is older. That the run is over is for the caller to know. */
export async function isSuperseded(
  host: Pick<Host, 'id' | 'storeOf'>,
  folder: RunFolder,
  destination: Destination,
): Promise<boolean> {
  const receipt = await landedReceipt(host, folder.place, destination);
  return receipt !== null && supersedes(receipt, host.id, (await readManifests(folder)).at(-1) ?? null);
}

/**
 * Every file that would be published is in the store, read again, with its size and sha256, and every checkpoint is in the
 * receipt there.
 */
export async function isStored(
  host: Pick<Host, 'storeOf'>,
  folder: RunFolder,
  destination: Destination,
): Promise<boolean> {
  const receipt = await landedReceipt(host, folder.place, destination);
  if (!receipt) return false;
  const store = host.storeOf(destination);
  const output = outputPath(destination.project, folder.place);
  const named = new Map(receipt.checkpoints.flatMap(({ files }) => files).map((file) => [file.path, file]));
  for await (const path of filesBelow(folder.path)) {
    if (isBookkeeping(path)) continue;
    const here = await digestFile(join(folder.path, path));
    const isOfCheckpoint = path.startsWith('checkpoints/') && !path.endsWith('/checkpoint.json');
    if (isOfCheckpoint && named.get(path)?.sha256 !== here.sha256) return false;
    const there = await store.verify(`${output}/${path}`);
    if (!there || there.size !== here.size || there.sha256 !== here.sha256) return false;
  }
  return true;
}

/** `receipt.json` of a run's output folder; null when there is none that can be read. */
export async function landedReceipt(
  host: Pick<Host, 'storeOf'>,
  place: string,
  destination: Destination,
): Promise<Receipt | null> {
  const text = await readText(host.storeOf(destination), `${outputPath(destination.project, place)}/receipt.json`);
  return text === null ? null : parseJson(receiptSchema, text);
}

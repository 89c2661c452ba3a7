/**
 * Checkpoints that a run has dropped, and that its host still has: whoever stores removes them once something newer is stored. While the
 * store is unavailable, or slower than the training, that would fill the disk.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isBefore } from '../contracts/checkpoint.ts';
import type { Known } from '../contracts/run-activities.ts';
import { ifMissing, type RunFolder } from './run-folders.ts';
import { readManifests } from './run-report.ts';

/** Beyond what the run keeps: what is to be stored may turn out to be damaged. */
const mostDropped = 5;

/**
 * Removes the oldest of them beyond `mostDropped`, and answers how many. `known`: what the run knew when it asked, all of its ledger among it. What it has not
 * heard of yet is for its ledger to decide about.
 */
export async function boundDropped(folder: RunFolder, known: Known, signal: AbortSignal): Promise<number> {
  // Asked with every report: as a rule there are few that the run does not keep, and none is read.
  const entries = await readdir(folder.checkpoints).catch(ifMissing<string[]>([]));
  if (entries.filter((name) => !known.checkpoints.includes(name)).length <= mostDropped) return 0;
  const manifests = await readManifests(folder);
  const newest = manifests.findLast(({ name }) => known.checkpoints.includes(name));
  if (!newest) return 0;
  const dropped = manifests.filter(
    (one) =>
      isBefore(one, newest) && !known.checkpoints.includes(one.name) && (one.batch > 0 || one.epoch <= known.epoch),
  );
  const oldest = dropped.slice(0, -mostDropped);
  for (const { name } of oldest) {
    signal.throwIfAborted();
    await rm(join(folder.checkpoints, name), { recursive: true, force: true });
  }
  return oldest.length;
}

/** For the run's notes: always the same words, so that it is told once. */
export const boundNote = (host: string): string =>
  `the store was unavailable, or slower than the training: older checkpoints that the run had dropped were removed from ${host} before anything newer was stored`;

/**
 * Snapshots: what a trainer saved between checkpoints, on its host alone. One that a run resumes from becomes a checkpoint, with all
 * that this means: it is in the ledger, stored, and counted. All others are gone before the next trainer starts.
 */
import { open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type CheckpointManifest, isBefore } from '../contracts/checkpoint.ts';
import { syncFolder } from '../stores/whole-file.ts';
import { isWhole, type ResumeRequest, sameFiles } from './checkpoints.ts';
import type { RunFolder } from './run-folders.ts';
import { manifestsIn, readManifests, start } from './run-report.ts';

type SnapshotRequest = Pick<ResumeRequest, 'folder' | 'ledger' | 'previous' | 'notAfter' | 'signal' | 'onProgress'>;

/**
 * Makes a checkpoint of the newest snapshot that is whole, where it is beyond every checkpoint that the run may resume from, and answers
 * its name; else null. Only one of the run's last session counts: whoever was cut off may have continued alone for a while.
 */
export async function takeSnapshot(request: SnapshotRequest): Promise<string | null> {
  const { folder, ledger, previous, notAfter, signal, onProgress } = request;
  if (previous === null) return null;
  const isAllowed = (manifest: CheckpointManifest) => notAfter === null || !isBefore(notAfter, manifest);
  const checkpoints = await readManifests(folder);
  const isTrusted = (manifest: CheckpointManifest) =>
    manifest.session === previous.id ||
    ledger.some((entry) => entry.name === manifest.name && sameFiles(entry, manifest));
  const newest = [...ledger, ...checkpoints.filter(isTrusted)]
    .filter(isAllowed)
    .reduce((last, one) => (isBefore(last, one) ? one : last), start);
  const found = (await manifestsIn(folder.snapshots)).filter(
    (manifest) => manifest.session === previous.id && isAllowed(manifest) && isBefore(newest, manifest),
  );
  for (const manifest of found.reverse()) {
    const path = join(folder.snapshots, manifest.name);
    onProgress(`verifying snapshot ${manifest.name}`);
    if (!(await isWhole(path, manifest, signal))) continue;
    // One of that name that nobody trusts: another session's.
    await rm(join(folder.checkpoints, manifest.name), { recursive: true, force: true });
    await flush(path, manifest);
    await rename(path, join(folder.checkpoints, manifest.name));
    await syncFolder(folder.checkpoints);
    return manifest.name;
  }
  return null;
}

/** Before another trainer starts: it trains the same batches anew, or others, and what it resumes from is a checkpoint by now. */
export const removeSnapshots = (folder: RunFolder): Promise<void> =>
  rm(folder.snapshots, { recursive: true, force: true });

/** Whether a snapshot is being written, or becomes whole: until then its name begins with a dot. */
export const isBeingSaved = ({ snapshots }: RunFolder): Promise<boolean> =>
  readdir(snapshots).then(
    (names) => names.some((name) => name.startsWith('.')),
    () => false,
  );

/** `a/b/c` is in `a/b`, `a` and `.`. */
const foldersAbove = (file: string): string[] => (file === '.' ? [] : [dirname(file), ...foldersAbove(dirname(file))]);

/** A checkpoint is on the disk, also after a power cut; a snapshot need not be. */
async function flush(path: string, manifest: CheckpointManifest): Promise<void> {
  const files = ['checkpoint.json', ...manifest.files.map((file) => file.path)];
  for (const file of [...files, ...new Set(files.flatMap(foldersAbove))]) {
    const handle = await open(join(path, file));
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

/** Checkpoints of this host: found, verified, fetched from the store, stored, removed. */
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type CheckpointManifest,
  checkpointManifestSchema,
  isBefore,
  type LedgerEntry,
  type Position,
} from '../contracts/checkpoint.ts';
import { relativePath } from '../contracts/names.ts';
import type { PublishedFile } from '../contracts/receipt.ts';
import type { Known } from '../contracts/run-activities.ts';
import type { Session } from '../contracts/session.ts';
import { type ArtifactStore, DamagedError, readText, type TransferOptions } from '../stores/artifact-store.ts';
import { digestFile } from '../stores/file-digest.ts';
import { loneFiles } from '../stores/lone-files.ts';
import { removeTree } from '../stores/remove-tree.ts';
import { fileInside } from './inside.ts';
import { type RunFolder, sizeOf } from './run-folders.ts';
import { parseJson, readManifest, readManifests, start } from './run-report.ts';
import { restorePages } from './stored-pages.ts';
import { restoreOtherRows, restoreRows, storeRows } from './stored-rows.ts';

export interface Resume {
  manifest: CheckpointManifest;
  /** Absolute folder of the checkpoint on this host. */
  path: string;
}

/** Damaged checkpoints that a run folder keeps: a disk that damages all of them must not fill up with them. */
const mostDamaged = 3;

export interface ResumeRequest {
  folder: RunFolder;
  ledger: readonly LedgerEntry[];
  previous: Session | null;
  notAfter: Position | null;
  /** The name of one that was verified here just now. */
  verified?: string | null;
  store: ArtifactStore;
  /** The run's folder in the store. */
  output: string;
  signal: AbortSignal;
  onProgress: (doing: string) => void;
}

/**
 * The newest checkpoint whose every file has its size and sha256: here, else from the store; a damaged one is passed
 * over for the one before. Null: start from scratch.
 *
 * A checkpoint that the ledger does not know is trusted only from the run's last session: a host that was cut off
 * may have continued alone for a while.
 */
export async function chooseResume(request: ResumeRequest): Promise<Resume | null> {
  const { folder, ledger, previous, notAfter, signal } = request;
  const known = new Map<string, CheckpointManifest>();
  for (const manifest of await readManifests(folder)) {
    const own = ledger.some((entry) => entry.name === manifest.name && sameFiles(entry, manifest));
    if (own || manifest.session === previous?.id) known.set(manifest.name, manifest);
  }
  for (const entry of ledger) known.set(entry.name, manifestOf(entry));
  const candidates = [...known.values()]
    .filter((manifest) => notAfter === null || !isBefore(notAfter, manifest))
    .sort((a, b) => (isBefore(a, b) ? 1 : -1));
  for (const manifest of candidates) {
    signal.throwIfAborted();
    const path = join(folder.checkpoints, manifest.name);
    request.onProgress(`verifying checkpoint ${manifest.name}`);
    if (manifest.name === request.verified || (await isWhole(path, manifest, signal))) {
      await restoreRows(request, manifest.epoch, 'local');
      return { manifest, path };
    }
    await putAside(folder, manifest);
    await rm(path, { recursive: true, force: true });
    request.onProgress(`fetching checkpoint ${manifest.name}`);
    // The store is asked whatever the ledger says: a host that handed its run over stored a checkpoint last of all.
    if (
      await fetchCheckpoint(request.store, `${request.output}/checkpoints/${manifest.name}`, manifest, path, { signal })
    ) {
      await restoreRows(request, manifest.epoch, 'store');
      await restoreOtherRows(request);
      await restorePages({ ...request, options: { signal } });
      return { manifest, path };
    }
  }
  return null;
}

/** Every file of the manifest is there, in the checkpoint's own folder, with its size and sha256. */
export async function isWhole(path: string, manifest: CheckpointManifest, signal: AbortSignal): Promise<boolean> {
  if ((await readManifest(path, manifest.name)) === null) return false;
  for (const file of manifest.files) {
    const digest = await fileInside(path, file.path)
      .then((real) => (real === null ? null : digestFile(real, { signal })))
      .catch((error: unknown) => {
        signal.throwIfAborted();
        return isUnreadable(error);
      });
    if (!digest || digest.size !== file.size || digest.sha256 !== file.sha256) return false;
  }
  return true;
}

/** False when the store's copy is not whole. It appears at `path` by a rename, as one of `run` where that is another one. */
export async function fetchCheckpoint(
  store: ArtifactStore,
  from: string,
  manifest: CheckpointManifest,
  path: string,
  options: TransferOptions & { run?: string },
): Promise<boolean> {
  const beside = `${path}.fetching`;
  await rm(beside, { recursive: true, force: true });
  await mkdir(beside, { recursive: true });
  try {
    for (const file of manifest.files) {
      if (!isSame(await store.verify(`${from}/${file.path}`, options), file)) return false;
      await mkdir(dirname(join(beside, file.path)), { recursive: true });
      await store.fetch(`${from}/${file.path}`, join(beside, file.path), file, options);
    }
    const stored = await storedManifest(manifest, store, from);
    if (!stored) return false;
    const ofRun = options.run === undefined ? stored : JSON.stringify({ ...JSON.parse(stored), from: options.run });
    await writeFile(join(beside, 'checkpoint.json'), ofRun);
    await rename(beside, path);
    return true;
  } catch (error) {
    if (error instanceof DamagedError) return false; // The store vouched for what it took, not for what became of it.
    throw error;
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

/** The text of the manifest in the store, where it is that of this checkpoint. */
async function storedManifest(entry: CheckpointManifest, store: ArtifactStore, from: string): Promise<string | null> {
  const text = await readText(store, `${from}/checkpoint.json`);
  const manifest = text ? parseJson(checkpointManifestSchema, text) : null;
  return manifest && sameFiles(manifest, entry) ? text : null;
}

/** Checkpoints after `position`, here and in the store: a new training of the same epochs writes the same names. */
export async function removeLater(
  folder: RunFolder,
  position: Position,
  store: ArtifactStore,
  output: string,
): Promise<void> {
  const later = (await readManifests(folder)).filter((manifest) => isBefore(position, manifest));
  for (const { name } of later) {
    await rm(join(folder.checkpoints, name), { recursive: true, force: true });
    await store.remove(`${output}/checkpoints/${name}`);
  }
}

/**
 * Removes from this host what the run has passed by: checkpoints older than the newest of `stored` that are not in its
 * ledger. The end of an epoch that the run has not heard of yet is for its ledger to decide about.
 */
export async function removePassed(
  folder: RunFolder,
  stored: readonly CheckpointManifest[],
  known: Known,
  signal: AbortSignal,
): Promise<void> {
  const newest = stored.reduce<Position>((last, entry) => (isBefore(last, entry) ? entry : last), start);
  const isPassed = ({ name, epoch, batch }: CheckpointManifest) =>
    !known.checkpoints.includes(name) && (batch > 0 || epoch <= known.epoch);
  for (const manifest of await readManifests(folder)) {
    if (!isBefore(manifest, newest)) break;
    signal.throwIfAborted();
    if (isPassed(manifest)) await removeTree(join(folder.checkpoints, manifest.name));
  }
}

/**
 * Puts a damaged checkpoint into `damaged/` of the run folder, where it counts as none and can be looked at. One that
 * was written in its place since stays where it is.
 */
export async function putAside(folder: RunFolder, entry: CheckpointManifest): Promise<void> {
  const path = join(folder.checkpoints, entry.name);
  const there = await readManifest(path, entry.name);
  if ((there && !sameFiles(there, entry)) || (await sizeOf(path)) === null) return;
  await mkdir(folder.damaged, { recursive: true });
  await rm(join(folder.damaged, entry.name), { recursive: true, force: true });
  await rename(path, join(folder.damaged, entry.name));
  for (const old of (await damagedHere(folder)).slice(0, -mostDamaged)) {
    await rm(join(folder.damaged, old), { recursive: true, force: true });
  }
}

/** Names of the checkpoints that were moved aside, oldest first. */
export const damagedHere = async (folder: RunFolder): Promise<string[]> =>
  (await readdir(folder.damaged).catch(() => [])).sort();

/** Files of a checkpoint as the store has them now, each read again; null when one of them is not as it should be. */
export async function storedFiles(
  entry: CheckpointManifest,
  store: ArtifactStore,
  output: string,
  options: TransferOptions,
): Promise<PublishedFile[] | null> {
  const files: PublishedFile[] = [];
  for (const file of entry.files) {
    const copy = await store.verify(`${output}/checkpoints/${entry.name}/${file.path}`, options);
    if (!copy || !isSame(copy, file)) return null;
    files.push({ ...copy, path: `checkpoints/${entry.name}/${file.path}` });
  }
  return files;
}

/** The same, where its manifest is there as well; without that nobody takes the files for a checkpoint. */
export const wholeInStore: typeof storedFiles = async (entry, store, output, options) =>
  (await storedManifest(entry, store, `${output}/checkpoints/${entry.name}`))
    ? storedFiles(entry, store, output, options)
    : null;

/**
 * Stores one checkpoint, its manifest last: a folder with a manifest is whole. The rows of its epochs go first, so that
 * a host that takes over finds both. What the store has whole stays, whatever became of it here. False when it is
 * damaged here, and not whole there.
 */
export async function storeCheckpoint(
  folder: RunFolder,
  entry: CheckpointManifest,
  store: ArtifactStore,
  output: string,
  options: TransferOptions,
): Promise<boolean> {
  const path = join(folder.checkpoints, entry.name);
  if (await wholeInStore(entry, store, output, options)) return true;
  if ((await readManifest(path, entry.name)) === null) return false;
  await storeRows(folder, store, output);
  return publishCheckpoint(path, entry, store, output, options);
}

/** Copies the checkpoint at `path` into the store, its manifest last. False, and nothing is there, when it is damaged here. */
export async function publishCheckpoint(
  path: string,
  entry: CheckpointManifest,
  store: ArtifactStore,
  output: string,
  options: TransferOptions,
): Promise<boolean> {
  const to = `${output}/checkpoints/${entry.name}`;
  const manifest = await fileInside(path, 'checkpoint.json');
  if (manifest === null) return false;
  for (const file of entry.files) {
    const local = await fileInside(path, file.path);
    if (local === null || (await sizeOf(local)) !== file.size) return false;
    const copy = await store.publish(local, `${to}/${file.path}`, options);
    if (isSame(copy, file)) continue;
    await store.remove(to);
    return false;
  }
  await store.publish(manifest, `${to}/checkpoint.json`, options);
  return true;
}

/**
 * Removes from the store what no longer belongs to the run: checkpoints that the ledger dropped while nobody could
 * remove them, and parts of such. What is newer than all of the ledger stays: nobody has decided about it.
 */
export async function removeStrays(
  store: ArtifactStore,
  output: string,
  kept: readonly CheckpointManifest[],
): Promise<void> {
  const newest = kept.reduce<Position>((last, entry) => (isBefore(last, entry) ? entry : last), { epoch: 0, batch: 0 });
  const names = new Map<string, string[]>();
  for await (const { path } of store.list(`${output}/checkpoints`)) {
    const [checkpoint = '', ...inside] = path.slice(`${output}/checkpoints/`.length).split('/');
    const paths = names.get(checkpoint) ?? [];
    if (paths.push(inside.join('/')) === 1) names.set(checkpoint, paths);
  }
  for (const [checkpoint, paths] of names) {
    const folder = `${output}/checkpoints/${checkpoint}`;
    // What another tool has put there: in the place of the folder, or under a name that is none of ours.
    if (!relativePath.safeParse(checkpoint).success) continue;
    const entry = kept.find(({ name }) => name === checkpoint);
    if (entry) {
      const own = new Set(['checkpoint.json', ...entry.files.map(({ path }) => path)]);
      const strays = [...loneFiles(paths)].filter((path) => !own.has(path));
      if (strays.length > 0) await store.removeFiles(strays.map((path) => `${folder}/${path}`));
      continue;
    }
    const text = paths.includes('checkpoint.json') ? await readText(store, `${folder}/checkpoint.json`) : null;
    const manifest = text ? parseJson(checkpointManifestSchema, text) : null;
    if (!manifest || !isBefore(newest, manifest)) await store.remove(folder);
  }
}

const isSame = (copy: { size: number; sha256: string } | null, file: { size: number; sha256: string }) =>
  copy !== null && copy.size === file.size && copy.sha256 === file.sha256;

export const sameFiles = (a: CheckpointManifest, b: CheckpointManifest): boolean =>
  a.files.length === b.files.length &&
  a.files.every((file) => b.files.some((other) => other.path === file.path && isSame(other, file)));

export function manifestOf({ host: _, stored: __, reasons: ___, ...manifest }: LedgerEntry): CheckpointManifest {
  return manifest;
}

function isUnreadable(error: unknown): null {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'EIO' || code === 'ENOTDIR' || code === 'EISDIR') return null;
  throw error;
}

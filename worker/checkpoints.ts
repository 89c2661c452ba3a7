/** Checkpoints of this host: found, verified, fetched from the store, stored, removed. */
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type CheckpointManifest,
  checkpointManifestSchema,
  isBefore,
  type LedgerEntry,
  type Position,
} from '../contracts/checkpoint.ts';
import type { Session } from '../contracts/session.ts';
import type { ArtifactStore, TransferOptions } from '../stores/artifact-store.ts';
import { digestFile } from '../stores/file-digest.ts';
import type { RunFolder } from './run-folders.ts';
import { readManifest, readManifests } from './run-report.ts';

export interface Resume {
  manifest: CheckpointManifest;
  /** Absolute folder of the checkpoint on this host. */
  path: string;
}

export interface ResumeRequest {
  folder: RunFolder;
  ledger: readonly LedgerEntry[];
  previous: Session | null;
  notAfter: Position | null;
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
 * may have gone on alone for a while.
 */
export async function chooseResume(request: ResumeRequest): Promise<Resume | null> {
  const { folder, ledger, previous, notAfter, signal } = request;
  const known = new Map<string, { manifest: CheckpointManifest; stored: boolean }>();
  for (const manifest of await readManifests(folder)) {
    const own = ledger.some((entry) => entry.name === manifest.name && sameFiles(entry, manifest));
    if (own || manifest.session === previous?.id) known.set(manifest.name, { manifest, stored: false });
  }
  for (const entry of ledger) known.set(entry.name, { manifest: manifestOf(entry), stored: entry.stored });
  const candidates = [...known.values()]
    .filter(({ manifest }) => notAfter === null || !isBefore(notAfter, manifest))
    .sort((a, b) => (isBefore(a.manifest, b.manifest) ? 1 : -1));
  for (const { manifest, stored } of candidates) {
    signal.throwIfAborted();
    const path = join(folder.checkpoints, manifest.name);
    request.onProgress(`verify checkpoint ${manifest.name}`);
    if (await isWhole(path, manifest, signal)) return { manifest, path };
    await rm(path, { recursive: true, force: true });
    if (!stored) continue;
    request.onProgress(`fetch checkpoint ${manifest.name}`);
    if (await fetchCheckpoint(request.store, `${request.output}/checkpoints/${manifest.name}`, manifest, path, { signal })) {
      return { manifest, path };
    }
  }
  return null;
}

/** Every file of the manifest is there with its size and sha256. */
export async function isWhole(path: string, manifest: CheckpointManifest, signal: AbortSignal): Promise<boolean> {
  if ((await readManifest(path, manifest.name)) === null) return false;
  for (const file of manifest.files) {
    const digest = await digestFile(join(path, file.path), { signal }).catch((error: unknown) => {
      signal.throwIfAborted();
      return isUnreadable(error);
    });
    if (!digest || digest.size !== file.size || digest.sha256 !== file.sha256) return false;
  }
  return true;
}

/** False when the store's copy is not whole. It appears at `path` by a rename. */
export async function fetchCheckpoint(
  store: ArtifactStore,
  from: string,
  manifest: CheckpointManifest,
  path: string,
  options: TransferOptions,
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
    const text = await store.read(`${from}/checkpoint.json`);
    const stored = text && checkpointManifestSchema.safeParse(JSON.parse(Buffer.from(text).toString('utf8')));
    if (!stored || !stored.success || !sameFiles(stored.data, manifest)) return false;
    await writeFile(join(beside, 'checkpoint.json'), text);
    await rename(beside, path);
    return true;
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

/** Checkpoints after `position`, here and in the store: a new training of the same epochs writes the same names. */
export async function removeLater(folder: RunFolder, position: Position, store: ArtifactStore, output: string): Promise<void> {
  const later = (await readManifests(folder)).filter((manifest) => isBefore(position, manifest));
  for (const { name } of later) {
    await rm(join(folder.checkpoints, name), { recursive: true, force: true });
    await store.remove(`${output}/checkpoints/${name}`);
  }
}

/** Stores one checkpoint, its manifest last: a folder with a manifest is whole. False when it is damaged here. */
export async function storeCheckpoint(
  folder: RunFolder,
  entry: CheckpointManifest,
  store: ArtifactStore,
  output: string,
  options: TransferOptions,
): Promise<boolean> {
  const path = join(folder.checkpoints, entry.name);
  const to = `${output}/checkpoints/${entry.name}`;
  if ((await readManifest(path, entry.name)) === null) return false;
  for (const file of entry.files) {
    if ((await sizeOf(join(path, file.path))) !== file.size) return false;
    const copy = await store.publish(join(path, file.path), `${to}/${file.path}`, options);
    if (isSame(copy, file)) continue;
    await store.remove(to);
    return false;
  }
  await store.publish(join(path, 'checkpoint.json'), `${to}/checkpoint.json`, options);
  return true;
}

const isSame = (copy: { size: number; sha256: string } | null, file: { size: number; sha256: string }) =>
  copy !== null && copy.size === file.size && copy.sha256 === file.sha256;

export const sameFiles = (a: CheckpointManifest, b: CheckpointManifest): boolean =>
  a.files.length === b.files.length &&
  a.files.every((file) => b.files.some((other) => other.path === file.path && isSame(other, file)));

export function manifestOf({ host: _, stored: __, reasons: ___, ...manifest }: LedgerEntry): CheckpointManifest {
  return manifest;
}

const sizeOf = (path: string) =>
  stat(path).then(
    ({ size }) => size,
    () => null,
  );

function isUnreadable(error: unknown): null {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'EIO' || code === 'ENOTDIR' || code === 'EISDIR') return null;
  throw error;
}

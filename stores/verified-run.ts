/** Whether all that a receipt names is in its store as it says. */
import { createHash } from 'node:crypto';
import { checkpointManifestSchema } from '../contracts/checkpoint.ts';
import { isSameLife } from '../contracts/life.ts';
import type { PublishedFile } from '../contracts/receipt.ts';
import { type ArtifactStore, DamagedError, StoreError, type TransferOptions } from './artifact-store.ts';
import { forEach } from './for-each.ts';
import { type Landed, lifeOf, manifestsOf, parsed, type StoredRun, textOf } from './stored-runs.ts';
import { isSame, shownDigest } from './whole-file.ts';

/** Files that are asked for at once: most are small, and each takes a request or two. */
const atOnce = 8;
const partBytes = 4 << 20;

export interface VerifyOptions extends TransferOptions {
  /** Every byte is read, whatever the provider has checked. */
  read?: boolean;
  /** Hears the path of each file before it is verified. */
  onFile?: (path: string) => void;
}

/** What is wrong, a sentence for each file, in order of path; empty when nothing is. Throws StoreError where the store cannot tell. */
export async function verifyRun(
  store: ArtifactStore,
  run: StoredRun,
  { receipt, named }: Landed,
  options: VerifyOptions = {},
): Promise<string[]> {
  const { signal, onFile } = options;
  const problems: string[] = [];
  const claim = await lifeOf(store, run.output);
  if (receipt.life && (claim === null || !isSameLife(claim.life, receipt.life)))
    problems.push('life.json is not that of the life whose receipt this is');
  problems.push(...(await manifestProblems(store, run, { receipt, named })));
  await forEach(named.values(), atOnce, async (file) => {
    signal?.throwIfAborted();
    onFile?.(file.path);
    const problem = await problemOf(store, run, file, options);
    if (problem !== null) problems.push(problem);
  });
  return problems.sort();
}

/** A sentence for each manifest that is not that of the checkpoint that the receipt names. */
export async function manifestProblems(
  store: ArtifactStore,
  run: StoredRun,
  { receipt, named }: Pick<Landed, 'receipt' | 'named'>,
): Promise<string[]> {
  const problems: string[] = [];
  for (const { checkpoint, path } of manifestsOf(receipt)) {
    const text = run.files.has(path) ? await textOf(store, `${run.output}/${path}`) : null;
    const manifest = text === null ? null : parsed(checkpointManifestSchema, text);
    const files = (manifest?.files ?? []).map((file) => ({
      ...file,
      path: `checkpoints/${checkpoint.name}/${file.path}`,
    }));
    const isThat = files.length === checkpoint.files.length && files.every((file) => isNamed(file, named));
    if (!isThat) problems.push(`${path} ${text === null ? 'is missing' : 'is not that of the receipt'}`);
  }
  return problems;
}

const isNamed = (file: PublishedFile, named: Landed['named']): boolean => {
  const other = named.get(file.path);
  return other !== undefined && isSame(file, other);
};

async function problemOf(
  store: ArtifactStore,
  { output, files }: StoredRun,
  file: PublishedFile,
  options: VerifyOptions,
): Promise<string | null> {
  const missing = `${file.path} is missing`;
  if (!files.has(file.path)) return missing;
  const path = `${output}/${file.path}`;
  try {
    let found = options.read ? await readDigest(store, path, options) : await store.verify(path, options);
    // Bytes may be damaged on their way, too.
    if (options.read && found && !isSame(found, file)) found = await readDigest(store, path, options);
    if (found === null) return missing;
    return isSame(found, file)
      ? null
      : `${file.path} is ${shownDigest(found)}, and the receipt says ${shownDigest(file)}`;
  } catch (error) {
    if (error instanceof DamagedError) return error.message;
    throw error;
  }
}

/** Of every byte, as the store sends it. Null where there is none. */
async function readDigest(store: ArtifactStore, path: string, { signal, onBytes }: VerifyOptions) {
  const hash = createHash('sha256');
  for (let offset = 0; ; ) {
    signal?.throwIfAborted();
    const part = await store.readPart(path, offset, partBytes);
    if (part === null) return null;
    hash.update(part.bytes);
    offset += part.bytes.length;
    onBytes?.(part.bytes.length);
    if (offset >= part.size) return { size: offset, sha256: hash.digest('hex') };
    if (part.bytes.length === 0) throw new StoreError(`cannot read ${path}: it ends after ${offset} bytes`, true);
  }
}

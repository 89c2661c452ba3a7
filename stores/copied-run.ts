/** A run from one store in another one, of whatever kind the two are. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { claimFile, isSameLife } from '../contracts/life.ts';
import { type PublishedFile, receiptSchema } from '../contracts/receipt.ts';
import { type ArtifactStore, readText, StoreError, type TransferOptions } from './artifact-store.ts';
import { forEach } from './for-each.ts';
import {
  type Landed,
  landingOf,
  lifeOf,
  namedIn,
  ownFiles,
  parsed,
  receiptFile,
  type StoredRun,
  textOf,
} from './stored-runs.ts';
import { manifestProblems } from './verified-run.ts';
import { isSame } from './whole-file.ts';

/** Of files that are not uploaded in parts: a large one takes the memory and the connections of several by itself. */
const atOnce = 8;
const largeBytes = 16 << 20;

export interface CopyOptions extends TransferOptions {
  /** A folder of this machine with room for the largest file. */
  scratch: string;
  /** Hears the path of each file before it is copied. */
  onFile?: (path: string) => void;
}

export interface Copied {
  /** Those that were not there yet. */
  files: number;
  bytes: number;
}

/**
 * Copies all that the receipt names, each file verified against it on its way and in `to`, and the receipt last: a copy that broke off has
 * none, and the next call continues it. Throws StoreError, where something else is in its place in `to` as well.
 */
export async function copyRun(
  from: ArtifactStore,
  to: ArtifactStore,
  run: StoredRun,
  landed: Landed,
  options: CopyOptions,
): Promise<Copied> {
  const { output } = run;
  const [problem] = await manifestProblems(from, run, landed);
  if (problem !== undefined) throw new StoreError(problem, false);
  await claimCopy(from, to, run);
  const there = new Map<string, number>();
  for await (const { path, size } of to.list(output)) there.set(path.slice(output.length + 1), size);
  await requireNotNewer(to, { ...run, files: there }, landed);
  const copied: Copied = { files: 0, bytes: 0 };
  const copy = async (file: PublishedFile) => {
    options.signal?.throwIfAborted();
    const path = `${output}/${file.path}`;
    options.onFile?.(file.path);
    if (there.get(file.path) === file.size) {
      const copy = await to.verify(path, options);
      if (copy && isSame(copy, file)) return;
    }
    await copyFile(from, to, path, file, options);
    copied.files += 1;
    copied.bytes += file.size;
  };
  const files = [...landed.named.values()];
  await forEach(
    files.filter(({ size }) => size <= largeBytes),
    atOnce,
    copy,
  );
  await forEach(
    files.filter(({ size }) => size > largeBytes),
    1,
    copy,
  );
  for (const path of ownFiles(landed)) {
    if (path === receiptFile || path === claimFile || landed.named.has(path)) continue;
    const bytes = await from.read(`${output}/${path}`);
    if (bytes) await to.write(`${output}/${path}`, bytes);
    else if (run.files.has(path))
      throw new StoreError(`${path} has gone from ${from.address}/${output} while the run was copied`, true);
  }
  if ((await readText(from, `${output}/${receiptFile}`)) !== landed.text)
    throw new StoreError(`${run.id} has changed in ${from.address} while it was copied: copy it again`, true);
  await to.write(`${output}/${receiptFile}`, landed.text);
  return copied;
}

/** The first file, as of every run: nobody else writes there then. */
async function claimCopy(from: ArtifactStore, to: ArtifactStore, run: StoredRun): Promise<void> {
  const { output, id } = run;
  const claim = await lifeOf(from, output);
  if (claim === null)
    throw new StoreError(`${id} has no ${claimFile} in ${from.address} that tells whose it is`, false);
  if (!(await textOf(to, `${output}/${claimFile}`))) {
    for await (const _ of to.list(output)) throw taken(to, run, 'files that nobody has claimed');
    await to.create(`${output}/${claimFile}`, claim.text);
  }
  const there = await lifeOf(to, output);
  if (there === null || !isSameLife(there.life, claim.life)) throw taken(to, run, 'another life of the run');
}

/** Of two receipts with one time the one that names more is the newer: a host that came back has published the rest. */
async function requireNotNewer(to: ArtifactStore, run: StoredRun, { receipt, text, named }: Landed): Promise<void> {
  const thereText = await textOf(to, `${run.output}/${receiptFile}`);
  const there = thereText === null ? null : parsed(receiptSchema, thereText);
  if (there === null || thereText === text || there.endedAt < receipt.endedAt) return;
  if (there.endedAt > receipt.endedAt) throw taken(to, run, 'a newer receipt of it');
  const landing = await landingOf(to, run);
  const theirs = landing.kind === 'landed' ? [...landing.named.keys()] : namedIn(there).map(({ path }) => path);
  const more = theirs.find((path) => !named.has(path));
  if (more !== undefined) throw taken(to, run, `a receipt of it that names ${more}, which this one does not`);
}

const taken = (to: ArtifactStore, { output }: StoredRun, what: string) =>
  new StoreError(`${to.address}/${output} has ${what}, and is left untouched`, false);

async function copyFile(
  from: ArtifactStore,
  to: ArtifactStore,
  path: string,
  file: PublishedFile,
  { scratch, ...options }: CopyOptions,
): Promise<void> {
  const local = join(scratch, randomUUID());
  try {
    // Told once: on its way into the other store.
    const { onBytes: _, ...quiet } = options;
    await from.fetch(path, local, file, quiet);
    const copy = await to.publish(local, path, options);
    if (!isSame(copy, file)) throw new StoreError(`the copy of ${path} in ${to.address} is not what was fetched`, true);
  } finally {
    await rm(local, { force: true });
  }
}

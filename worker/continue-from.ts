/** A run that goes on from a checkpoint of another one: found through that run's receipt, fetched, verified. */
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type CheckpointManifest, checkpointManifestSchema } from '../contracts/checkpoint.ts';
import { type Receipt, receiptSchema } from '../contracts/receipt.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import { type ArtifactStore, readText } from '../stores/artifact-store.ts';
import { openFolder } from '../stores/open-store.ts';
import { fetchCheckpoint, isWhole, type Resume } from './checkpoints.ts';
import type { RunFolder } from './run-folders.ts';
import { parseJson } from './run-report.ts';

/** Which field of `continueFrom` is wrong, and what is allowed. */
export class ContinueFromProblem extends Error {
  override readonly name = 'ContinueFromProblem';
  constructor(
    readonly field: string,
    readonly value: string,
    readonly allowed: string,
  ) {
    super(`${field} is ${JSON.stringify(value)}: ${allowed}`);
  }
}

type ContinueFrom = NonNullable<RunConfig['continueFrom']>;

/**
 * The manifest that is meant, without fetching its files. Throws ContinueFromProblem with a clause for the field, also
 * where the run there was trained by another trainer than `trainer`: each has a format of its own.
 */
export async function findStart(
  { outputFolder, checkpoint }: ContinueFrom,
  trainer: string,
): Promise<{ manifest: CheckpointManifest; from: string }> {
  const store = openFolder(dirname(outputFolder));
  const output = basename(outputFolder);
  const manifests: CheckpointManifest[] = [];
  for await (const { path } of store.list(`${output}/checkpoints`)) {
    if (basename(path) !== 'checkpoint.json') continue;
    const text = await readText(store, path);
    const manifest = text === null ? null : parseJson(checkpointManifestSchema, text);
    // Its files are fetched from the folder of its name.
    if (manifest && path === `${output}/checkpoints/${manifest.name}/checkpoint.json`) manifests.push(manifest);
  }
  if (manifests.length === 0)
    throw new ContinueFromProblem(
      'continueFrom.outputFolder',
      outputFolder,
      'must be an output folder of a run, with checkpoints in it',
    );
  const receipt = await receiptOf(store, output);
  if (receipt && receipt.trainer !== trainer) {
    const allowed = `must be an output folder of the trainer ${trainer}; the run there is of ${receipt.trainer}`;
    throw new ContinueFromProblem('continueFrom.outputFolder', outputFolder, allowed);
  }
  manifests.sort((a, b) => a.epoch - b.epoch || a.batch - b.batch);
  const best = receipt?.checkpoints.find(({ reasons }) => reasons.includes('best'))?.name;
  const manifest =
    checkpoint === 'last'
      ? manifests.at(-1)
      : manifests.find(({ name }) => name === (checkpoint === 'best' ? best : checkpoint));
  if (!manifest) {
    const names = manifests.map(({ name }) => name).join(', ');
    throw new ContinueFromProblem('continueFrom.checkpoint', checkpoint, `must be best, last or one of ${names}`);
  }
  return { manifest, from: `${output}/checkpoints/${manifest.name}` };
}

export async function fetchStart(
  wanted: ContinueFrom,
  trainer: string,
  folder: RunFolder,
  signal: AbortSignal,
): Promise<Resume> {
  const { manifest, from } = await findStart(wanted, trainer);
  const path = join(folder.path, 'start', manifest.name);
  if (!(await isWhole(path, manifest, signal))) {
    await rm(path, { recursive: true, force: true });
    const whole = await fetchCheckpoint(openFolder(dirname(wanted.outputFolder)), from, manifest, path, { signal });
    if (!whole) throw new ContinueFromProblem('continueFrom.checkpoint', manifest.name, 'is damaged in the store');
  }
  return { manifest, path };
}

async function receiptOf(store: ArtifactStore, output: string): Promise<Receipt | null> {
  const text = await readText(store, `${output}/receipt.json`);
  return text === null ? null : parseJson(receiptSchema, text);
}

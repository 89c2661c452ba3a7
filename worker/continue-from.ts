/** A run that resumes from a checkpoint of another one: found through that run's receipt, fetched, verified. */
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  type CheckpointManifest,
  checkpointManifestSchema,
  isBefore,
  isBetter,
  type Metrics,
} from '../contracts/checkpoint.ts';
import { claimFile, claimSchema } from '../contracts/life.ts';
import { type Receipt, receiptSchema } from '../contracts/receipt.ts';
import type { Materials } from '../contracts/receipt-facts.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import { type ArtifactStore, readText } from '../stores/artifact-store.ts';
import { openFolder } from '../stores/open-store.ts';
import { sha256Hex } from '../stores/sha256.ts';
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
type Best = NonNullable<RunConfig['checkpoints']['best']>;

interface Start {
  manifest: CheckpointManifest;
  /** All that the run there has, oldest first. */
  manifests: CheckpointManifest[];
}

/**
 * The manifest that is meant, without fetching its files. Throws ContinueFromProblem with a clause for the field, also
 * where the run there was trained by another trainer than `trainer`: each has a format of its own.
 */
export async function findStart(wanted: ContinueFrom, trainer: string): Promise<Start> {
  const { outputFolder, store, output } = whereIs(wanted);
  const { checkpoint } = wanted;
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
  return { manifest, manifests };
}

/** The weights to begin with, for a training of its own: no checkpoint of this run. */
export async function fetchStart(
  wanted: ContinueFrom,
  trainer: string,
  folder: RunFolder,
  signal: AbortSignal,
): Promise<Resume> {
  const { manifest } = await findStart(wanted, trainer);
  const path = join(folder.path, 'start', manifest.name);
  if (!(await isWhole(path, manifest, signal)) && !(await fetch(wanted, manifest, path, signal)))
    throw damaged(manifest);
  return { manifest, path };
}

/**
 * What a run that continues with another one's training begins with, as checkpoints of its own: the one that it continues,
 * and the best before that. So the best of all that was trained stays the best, and nothing of it has to be fetched again.
 */
export async function bringAlong(
  wanted: ContinueFrom,
  { trainer, checkpoints: { best } }: Pick<RunConfig, 'trainer' | 'checkpoints'>,
  folder: RunFolder,
  signal: AbortSignal,
): Promise<Resume> {
  const { manifest, manifests } = await findStart(wanted, trainer);
  const bring = (one: CheckpointManifest) => fetch(wanted, one, join(folder.checkpoints, one.name), signal);
  if (!(await bring(manifest))) throw damaged(manifest);
  if (best) {
    // A checkpoint within an epoch is never the best: its metrics are of the epoch before.
    const own = manifest.batch === 0 ? manifest.metrics : null;
    const better = manifests
      .filter((one) => one.batch === 0 && one.epoch > 0 && isBefore(one, manifest) && notWorse(best, one, own))
      .sort((a, b) => (isBetter(best, a.metrics, b.metrics) ? -1 : isBetter(best, b.metrics, a.metrics) ? 1 : 0));
    for (const one of better) if (await bring(one)) break;
  }
  return { manifest, path: join(folder.checkpoints, manifest.name) };
}

/** For the receipt: which checkpoint that is, and of which life. Its manifest has the digests of its files. */
export async function startedFrom(wanted: ContinueFrom, { name }: CheckpointManifest): Promise<Materials['from']> {
  const { store, output } = whereIs(wanted);
  const manifest = await store.read(`${output}/checkpoints/${name}/checkpoint.json`);
  if (manifest === null) return null;
  const claim = parseJson(claimSchema, (await readText(store, `${output}/${claimFile}`)) ?? '');
  const sha256 = sha256Hex(manifest);
  return { run: claim?.run ?? output, life: claim?.life.chain[0] ?? null, checkpoint: name, sha256 };
}

/** A run's id was made a folder by the check. */
function whereIs({ outputFolder, run = '' }: ContinueFrom) {
  if (outputFolder === undefined) throw new ContinueFromProblem('continueFrom.run', run, 'has not been looked up');
  return { outputFolder, store: openFolder(dirname(outputFolder)), output: basename(outputFolder) };
}

/** Of equals the earlier one is the best. */
const notWorse = (best: Best, { metrics }: CheckpointManifest, own: Metrics | null): boolean =>
  metrics[best.metric] !== undefined && (own === null || !isBetter(best, own, metrics));

/** False when it is damaged in the store. */
async function fetch(
  wanted: ContinueFrom,
  manifest: CheckpointManifest,
  path: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { store, output: run } = whereIs(wanted);
  await rm(path, { recursive: true, force: true });
  const from = `${run}/checkpoints/${manifest.name}`;
  return fetchCheckpoint(store, from, manifest, path, {
    signal,
    run: manifest.from ?? run,
  });
}

const damaged = ({ name }: CheckpointManifest) =>
  new ContinueFromProblem('continueFrom.checkpoint', name, 'is damaged in the store');

async function receiptOf(store: ArtifactStore, output: string): Promise<Receipt | null> {
  const text = await readText(store, `${output}/receipt.json`);
  return text === null ? null : parseJson(receiptSchema, text);
}

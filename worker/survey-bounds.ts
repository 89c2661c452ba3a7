/** What a survey tells of a run that nobody knows any more: it travels in a payload, however much lies there. */
import { type CheckpointManifest, isBefore } from '../contracts/checkpoint.ts';
import type { EpochResult } from '../contracts/protocol.ts';
import type { RunConfig } from '../contracts/run-config.ts';

/** Characters of JSON. */
const mostOfCheckpoints = 300_000;
const mostOfEpochs = 100_000;
/** Checkpoints within epochs: the newest, and what there is where more of them are damaged. */
const withinEpochs = 5;

/** In the order in which they matter: the newest, the best by the configuration's metric, then the others, newest first. */
function surveyOrder<T extends CheckpointManifest>(manifests: readonly T[], config: RunConfig | null): T[] {
  const newestFirst = [...manifests].sort((a, b) => (isBefore(a, b) ? 1 : -1));
  const ends = newestFirst.filter(({ batch }) => batch === 0);
  const within = newestFirst.filter(({ batch }) => batch > 0).slice(0, withinEpochs);
  const best = bestOf(ends, config);
  const [newest, ...others] = [...within, ...ends].sort((a, b) => (isBefore(a, b) ? 1 : -1));
  return [...new Set([newest, best, ...others])].filter((one) => one !== undefined);
}

function bestOf<T extends CheckpointManifest>(ends: readonly T[], config: RunConfig | null): T | undefined {
  const best = config?.checkpoints.best;
  if (!best) return undefined;
  const sign = best.mode === 'max' ? 1 : -1;
  const scoreOf = ({ metrics }: T) => sign * (metrics[best.metric] ?? Number.NaN);
  // Of equals the earliest, which is the last one here.
  return ends.reduce<T | undefined>((top, end) => {
    if (Number.isNaN(scoreOf(end))) return top;
    return top && scoreOf(top) > scoreOf(end) ? top : end;
  }, undefined);
}

/** The first of `manifests` that are whole and have room, oldest first; the very first always has. */
export async function surveyed<T extends CheckpointManifest>(
  manifests: readonly T[],
  config: RunConfig | null,
  isWhole: (manifest: T) => Promise<boolean>,
): Promise<T[]> {
  const told: T[] = [];
  let left = mostOfCheckpoints;
  for (const manifest of surveyOrder(manifests, config)) {
    if (!(await isWhole(manifest))) continue;
    left -= JSON.stringify(manifest).length;
    if (left < 0 && told.length > 0) break;
    told.push(manifest);
  }
  return told.sort((a, b) => (isBefore(a, b) ? -1 : 1));
}

/** The rows of epochs that a receipt may come to tell: the newest of those up to the newest checkpoint. */
export function surveyedEpochs(
  rows: readonly EpochResult[],
  checkpoints: readonly CheckpointManifest[],
): EpochResult[] {
  const last = Math.max(0, ...checkpoints.map(({ epoch }) => epoch));
  const told: EpochResult[] = [];
  let left = mostOfEpochs;
  for (const row of rows.filter(({ epoch }) => epoch <= last).reverse()) {
    left -= JSON.stringify(row).length;
    if (left < 0) break;
    told.unshift(row);
  }
  return told;
}

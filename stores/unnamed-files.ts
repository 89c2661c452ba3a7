/** What lies in the output folder of a run that is over, and no receipt names. */
import { checkpointManifestSchema, isBefore } from '../contracts/checkpoint.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { loneFiles } from './lone-files.ts';
import { type Landed, newestOf, ownFiles, parsed, receiptFile, type StoredRun, textOf } from './stored-runs.ts';

/** Removals after which it is asked again whether there may be more: thousands take an hour. */
const askEvery = 100;

export interface Unnamed {
  /** Paths inside the output folder, with their sizes. */
  files: { path: string; size: number }[];
  /** Checkpoints that stay, each with a clause that says why: nobody has decided about them, or nobody can tell. */
  kept: { checkpoint: string; why: string }[];
}

export async function unnamedFiles(store: ArtifactStore, run: StoredRun, landed: Landed): Promise<Unnamed> {
  const own = ownFiles(landed);
  const newest = newestOf(landed.receipt);
  const decided = new Map<string, string | null>();
  const whyKept = async (checkpoint: string): Promise<string | null> => {
    const manifest = `checkpoints/${checkpoint}/checkpoint.json`;
    if (!run.files.has(manifest)) return null;
    const told = parsed(checkpointManifestSchema, (await textOf(store, `${run.output}/${manifest}`)) ?? '');
    if (told === null) return 'has a manifest that cannot be read';
    return isBefore(newest, told) ? 'is newer than its receipt' : null;
  };
  const files: Unnamed['files'] = [];
  for (const path of loneFiles(run.files.keys())) {
    if (own.has(path) || landed.named.has(path)) continue;
    const [, checkpoint] = /^checkpoints\/([^/]+)\//.exec(path) ?? [];
    if (checkpoint !== undefined) {
      if (!decided.has(checkpoint)) decided.set(checkpoint, await whyKept(checkpoint));
      if (decided.get(checkpoint) !== null) continue;
    }
    files.push({ path, size: run.files.get(path) ?? 0 });
  }
  return { files, kept: [...decided].flatMap(([checkpoint, why]) => (why === null ? [] : [{ checkpoint, why }])) };
}

export interface Removed {
  files: string[];
  /** A clause: why not all of them were removed; null where all were. */
  why: string | null;
}

/**
 * Removes these files, and what copies that broke off have left, as long as the receipt is the same and `whyOpen` has no clause that says why more of the
 * run may be written. `onFile` hears the path of each before it is removed.
 */
export async function removeUnnamed(
  store: ArtifactStore,
  { output }: StoredRun,
  { text }: Landed,
  { files }: Unnamed,
  { whyOpen, onFile }: { whyOpen: () => Promise<string | null>; onFile?: (path: string) => void },
): Promise<Removed> {
  const removed: Removed = { files: [], why: null };
  for (const [index, { path }] of files.entries()) {
    if (index % askEvery === 0) {
      removed.why = await whyOpen();
      if (removed.why === null && (await textOf(store, `${output}/${receiptFile}`)) !== text)
        removed.why = 'its receipt has changed meanwhile';
      if (removed.why !== null) return removed;
    }
    onFile?.(path);
    await store.remove(`${output}/${path}`);
    removed.files.push(path);
  }
  await store.tidy(output);
  return removed;
}

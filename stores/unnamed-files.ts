/** What lies in the output folder of a run that is over, and no receipt names. */
import { checkpointManifestSchema, isBefore } from '../contracts/checkpoint.ts';
import { type ArtifactStore, readText } from './artifact-store.ts';
import { type Landed, newestOf, ownFiles, parsed, receiptFile, type StoredRun } from './stored-runs.ts';

export interface Unnamed {
  /** Paths inside the output folder, with their sizes. */
  files: { path: string; size: number }[];
  /** Checkpoints that are newer than all of the receipt: nobody has decided about them, and they stay. */
  newer: string[];
}

export async function unnamedFiles(store: ArtifactStore, run: StoredRun, landed: Landed): Promise<Unnamed> {
  const own = ownFiles(landed);
  const newest = newestOf(landed.receipt);
  const decided = new Map<string, boolean>();
  const isNewer = async (checkpoint: string) => {
    const manifest = `checkpoints/${checkpoint}/checkpoint.json`;
    const text = run.files.has(manifest) ? await readText(store, `${run.output}/${manifest}`) : null;
    const told = text === null ? null : parsed(checkpointManifestSchema, text);
    return told !== null && isBefore(newest, told);
  };
  const files: Unnamed['files'] = [];
  for (const [path, size] of run.files) {
    if (own.has(path) || landed.named.has(path)) continue;
    const [, checkpoint] = /^checkpoints\/([^/]+)\//.exec(path) ?? [];
    if (checkpoint !== undefined) {
      if (!decided.has(checkpoint)) decided.set(checkpoint, await isNewer(checkpoint));
      if (decided.get(checkpoint)) continue;
    }
    files.push({ path, size });
  }
  return { files, newer: [...decided].flatMap(([checkpoint, newer]) => (newer ? [checkpoint] : [])) };
}

/** Removes these files, and what copies that broke off have left. False, and nothing was removed: the receipt is another one by now. */
export async function removeUnnamed(
  store: ArtifactStore,
  { output }: StoredRun,
  { text }: Landed,
  { files }: Unnamed,
): Promise<boolean> {
  if ((await readText(store, `${output}/${receiptFile}`)) !== text) return false;
  for (const { path } of files) await store.remove(`${output}/${path}`);
  await store.tidy(output);
  return true;
}

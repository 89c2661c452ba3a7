/** The checkpoints of a run as it is published: those that it keeps, each verified in the store, or put there now. */
import { isFallback, type LedgerEntry } from '../contracts/checkpoint.ts';
import type { PublishedFile, Receipt } from '../contracts/receipt.ts';
import type { ArtifactStore, TransferOptions } from '../stores/artifact-store.ts';
import { forEach } from '../stores/for-each.ts';
import { manifestOf, putAside, storeCheckpoint, storedFiles, wholeInStore } from './checkpoints.ts';
import type { RunFolder } from './run-folders.ts';

/** Checkpoints that are looked at side by side: a run may have hundreds, and each takes a few requests. */
const atOnce = 8;

interface Landing {
  store: ArtifactStore;
  output: string;
  /** Null where the host that had the run is gone. */
  folder: RunFolder | null;
  options: TransferOptions;
}

interface Told {
  onCheckpoint(name: string): void;
  /** Of one that was on this host alone, and is in the store now: when it was written. */
  onStored(createdAt: string): void;
}

/** `lost`: those that neither the store nor the host has whole. */
export async function landCheckpoints(
  ledger: readonly LedgerEntry[],
  landing: Landing,
  { onCheckpoint, onStored }: Told,
): Promise<{ checkpoints: Receipt['checkpoints']; lost: string[] }> {
  const { store, output, folder, options } = landing;
  // What was stored before is there as a rule, and has to hold up nobody.
  const there = new Map<string, PublishedFile[] | null>();
  const stored = ledger.filter((entry) => entry.stored && !isFallback(entry));
  await forEach(stored, atOnce, async (entry) => {
    onCheckpoint(entry.name);
    there.set(entry.name, await (folder ? wholeInStore : storedFiles)(entry, store, output, options));
  });
  const checkpoints: Receipt['checkpoints'] = [];
  const lost: string[] = [];
  // Newest first: a fallback is part of the result only where nothing newer is.
  for (const entry of [...ledger].reverse()) {
    if (isFallback(entry) && checkpoints.length > 0) continue;
    onCheckpoint(entry.name);
    const files = there.get(entry.name) ?? (await landCheckpoint(entry, landing));
    if (files && folder && !entry.stored) onStored(entry.createdAt);
    if (files) checkpoints.unshift({ ...manifestOf(entry), files, reasons: entry.reasons });
    else lost.unshift(entry.name);
  }
  return { checkpoints, lost };
}

/** Files of a checkpoint as the store has them now; null when neither the store nor the host has it whole. */
async function landCheckpoint(
  entry: LedgerEntry,
  { store, output, folder, options }: Landing,
): Promise<PublishedFile[] | null> {
  if (!folder) return storedFiles(entry, store, output, options);
  const there = await wholeInStore(entry, store, output, options);
  if (there) return there;
  if (!(await storeCheckpoint(folder, entry, store, output, options))) await putAside(folder, entry);
  return storedFiles(entry, store, output, options);
}

/** The receipt in the store, and the facts that are not its run's to know. Whatever lands a run, this writes it: here it can be signed. */

import type { DataSummary } from '../contracts/data-report.ts';
import type { Life } from '../contracts/life.ts';
import { sha256 } from '../contracts/names.ts';
import type { PublishedFile, Receipt } from '../contracts/receipt.ts';
import type { Materials, ReceiptFacts } from '../contracts/receipt-facts.ts';
import type { SystemPeaks } from '../contracts/system-metrics.ts';
import type { ArtifactStore } from '../stores/artifact-store.ts';
import { fileList } from '../stores/file-list.ts';
import { sha256Hex } from '../stores/sha256.ts';
import type { RunFolder } from './run-folders.ts';
import { readMaterials } from './trainer-materials.ts';

export const sealReceipt = (store: ArtifactStore, output: string, receipt: Receipt): Promise<PublishedFile> =>
  store.write(`${output}/receipt.json`, `${JSON.stringify(receipt, null, 2)}\n`);

export interface Landed {
  life: Life;
  store: ArtifactStore;
  /** Null: its host is gone. */
  folder: RunFolder | null;
  /** Of the run, in the store. */
  output: string;
  checkpoints: Receipt['checkpoints'];
  /** As it was before: what its run, or who landed it earlier, has told. */
  receipt: Receipt;
  /** All that is published beside checkpoints. */
  files: readonly PublishedFile[];
  config: PublishedFile;
  data: DataSummary | null;
  /** Null: nobody measured. */
  system?: SystemPeaks | null;
}

export async function factsOf(landed: Landed): Promise<ReceiptFacts> {
  const { life, store, folder, output, checkpoints, receipt, files, config, data } = landed;
  // What the run remembers is its last session's; a folder that was left behind may be an earlier one's.
  const known = receipt.materials ?? (folder && (await readMaterials(folder))) ?? unknown;
  // Of a host that is gone nobody knows what was measured, unless who landed the run before has told.
  const system = landed.system ?? receipt.system;
  return {
    life,
    storeIdentity: await store.identity(),
    materials: { ...known, config: config.sha256, data: sha256.safeParse(data?.splitSha256).data ?? known.data },
    ...(system ? { system } : {}),
    proofs: proofsOf(store, output, [...checkpoints.flatMap((checkpoint) => checkpoint.files), ...files]),
    filesSha256: sha256Hex(fileList(files)),
  };
}

/** Of files whose paths are inside `output`. */
function proofsOf(store: ArtifactStore, output: string, files: readonly PublishedFile[]) {
  const proofs = { checksum: 0, readBack: 0 };
  for (const { path } of files) {
    const proof = store.proofOf(`${output}/${path}`);
    if (proof) proofs[proof] += 1;
  }
  return proofs;
}

const unknown: Materials = { trainer: null, environment: null, sdk: null, config: null, data: null, from: null };

/** Runs that are over, against what this host still has of them: what has landed, what is stored, and what is to be salvaged. */
import { join } from 'node:path';
import { type Receipt, receiptSchema, supersedes } from '../contracts/receipt.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import { outputPath, readText } from '../stores/artifact-store.ts';
import { digestFile } from '../stores/file-digest.ts';
import { filesBelow, isBookkeeping, type RunFolder } from './run-folders.ts';
import { parseJson, readManifests } from './run-report.ts';
import type { Runs } from './runs.ts';
import type { Stores } from './stores.ts';

/** Where a run lands. */
export type Destination = Pick<RunConfig, 'store' | 'storeIdentity' | 'project'>;

export interface ClosedRunsParts {
  /** Of this host. */
  id: string;
  pool: string;
  stores: Stores;
  runs: Runs;
}

export class ClosedRuns {
  constructor(private readonly parts: ClosedRunsParts) {}

  /** `receipt.json` of a run's output folder; null when there is none that can be read. */
  async landedReceipt(place: string, destination: Destination): Promise<Receipt | null> {
    const store = await this.parts.stores.of(destination);
    const text = await readText(store, `${outputPath(destination.project, place)}/receipt.json`);
    return text === null ? null : parseJson(receiptSchema, text);
  }

  /** Whether what the run came to is in the store, and what is here is older. That the run is over is for the caller to know. */
  async isSuperseded(folder: RunFolder, destination: Destination): Promise<boolean> {
    const receipt = await this.landedReceipt(folder.place, destination);
    return receipt !== null && supersedes(receipt, this.parts.id, (await readManifests(folder)).at(-1) ?? null);
  }

  /**
   * Every file that would be published is in the store, read again, with its size and sha256, and every checkpoint is in the
   * receipt there.
   */
  async isStored(folder: RunFolder, destination: Destination): Promise<boolean> {
    const receipt = await this.landedReceipt(folder.place, destination);
    if (!receipt) return false;
    const store = await this.parts.stores.of(destination);
    const output = outputPath(destination.project, folder.place);
    const named = new Map(receipt.checkpoints.flatMap(({ files }) => files).map((file) => [file.path, file]));
    for await (const path of filesBelow(folder.path)) {
      if (isBookkeeping(path)) continue;
      const here = await digestFile(join(folder.path, path));
      const isOfCheckpoint = path.startsWith('checkpoints/') && !path.endsWith('/checkpoint.json');
      if (isOfCheckpoint && named.get(path)?.sha256 !== here.sha256) return false;
      const there = await store.verify(`${output}/${path}`);
      if (!there || there.size !== here.size || there.sha256 !== here.sha256) return false;
    }
    return true;
  }

  /** Has what is left in the folder landed; its files tell the rest. See `Runs.salvage`. */
  async salvage({ run, place }: Pick<RunFolder, 'run' | 'place'>, again = false): Promise<void> {
    const { id, pool, runs } = this.parts;
    await runs.salvage({ run, place, chain: null, config: null, ledger: [], host: id, pool }, again);
  }
}

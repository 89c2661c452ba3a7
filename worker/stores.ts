/**
 * The stores of this host's runs, opened by address. It remembers which it has given to runs: one of them that is empty now is
 * unavailable, and is not made anew.
 */
import { join } from 'node:path';
import { z } from 'zod';
import type { RunConfig } from '../contracts/run-config.ts';
import type { ArtifactStore } from '../stores/artifact-store.ts';
import { openStore } from '../stores/open-store.ts';
import { readIfThere, replaceFile } from './run-folders.ts';
import { parseJson } from './run-report.ts';

const givenSchema = z.array(z.string());

export class Stores {
  readonly #file: string;

  constructor(
    /** Of runs that name none. */
    readonly defaultAddress: string,
    dataFolder: string,
  ) {
    this.#file = join(dataFolder, 'stores.json');
  }

  /** Touches nothing yet. Throws StoreError when no store has such an address. */
  async of({ store, storeIdentity }: Pick<RunConfig, 'store' | 'storeIdentity'>): Promise<ArtifactStore> {
    return openStore(store ?? this.defaultAddress, storeIdentity);
  }

  /** Throws StoreError when nothing can be written there, or when it is unavailable. */
  async check(store: ArtifactStore): Promise<void> {
    await store.checkWritable((await this.#given()).includes(store.address));
  }

  /** The same, for a run that will write there; a store that is new is made. */
  async prepare(store: ArtifactStore): Promise<void> {
    const given = await this.#given();
    await store.prepare(given.includes(store.address));
    if (!given.includes(store.address)) await replaceFile(this.#file, JSON.stringify([...given, store.address]));
  }

  async #given(): Promise<string[]> {
    const text = await readIfThere(this.#file);
    return (text && parseJson(givenSchema, text)) || [];
  }
}

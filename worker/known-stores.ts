/** Stores that this host has given to runs. One of them that is empty now is away, and is not made anew. */
import { join } from 'node:path';
import { z } from 'zod';
import type { ArtifactStore } from '../stores/artifact-store.ts';
import { readIfThere, replaceFile } from './run-folders.ts';
import { parseJson } from './run-report.ts';

const knownSchema = z.array(z.string());

export class KnownStores {
  readonly #file: string;

  constructor(dataFolder: string) {
    this.#file = join(dataFolder, 'stores.json');
  }

  /** Throws StoreError when nothing can be written there, or when it is away. */
  async check(store: ArtifactStore): Promise<void> {
    await store.checkWritable((await this.#known()).includes(store.address));
  }

  /** The same, for a run that will write there; a store that is new is made. */
  async prepare(store: ArtifactStore): Promise<void> {
    const known = await this.#known();
    await store.prepare(known.includes(store.address));
    if (!known.includes(store.address)) await replaceFile(this.#file, JSON.stringify([...known, store.address]));
  }

  async #known(): Promise<string[]> {
    const text = await readIfThere(this.#file);
    return (text && parseJson(knownSchema, text)) || [];
  }
}

/** Whether all of a run folder is in the store, for people who ask often: reading gigabytes again takes its time. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { outputPath } from '../stores/artifact-store.ts';
import type { ClosedRuns, Destination } from './closed-runs.ts';
import { filesBelow, type RunFolder } from './run-folders.ts';
import type { Stores } from './stores.ts';

/** How long an answer counts, in milliseconds, while names and sizes are what they were: a page asks every few seconds. */
const answerMs = 5 * 60_000;
/** How long one who asks waits, in milliseconds. */
const waitMs = 20_000;

interface Answer {
  looks: string;
  at: number;
  stored: Promise<boolean>;
}

export class StoredAnswers {
  readonly #answers = new Map<string, Answer>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly stores: Stores,
    private readonly closedRuns: ClosedRuns,
  ) {}

  /** `why` the folder is there, and `stored`; what could not be read, or not yet, is not called stored. */
  async of(folder: RunFolder, destination: Destination | null, why: string): Promise<{ why: string; stored: boolean }> {
    if (!destination) return { why, stored: false };
    const late = delay(waitMs, null, { ref: false });
    const stored = await Promise.race([this.#ask(folder, destination).catch(() => false), late]);
    if (stored !== null) return { why, stored };
    return { why: `${why}; its files are still being compared with the store`, stored: false };
  }

  async #ask(folder: RunFolder, destination: Destination): Promise<boolean> {
    const looks = await this.#looks(folder, destination);
    const known = this.#answers.get(folder.place);
    if (known?.looks === looks && performance.now() - known.at < answerMs) return known.stored;
    // One folder after the other: trainers need the disk, too.
    const stored = this.#last.then(() => this.closedRuns.isStored(folder, destination));
    this.#last = stored.catch(() => undefined);
    this.#answers.set(folder.place, { looks, at: performance.now(), stored });
    stored.catch(() => this.#answers.delete(folder.place));
    return stored;
  }

  /** Names, sizes and times of the files here, names and sizes of those in the store. */
  async #looks(folder: RunFolder, destination: Destination): Promise<string> {
    const hash = createHash('sha256');
    for await (const path of filesBelow(folder.path)) {
      const { size, mtimeMs } = await stat(join(folder.path, path));
      hash.update(`here ${path} ${size} ${mtimeMs}\n`);
    }
    const store = await this.stores.of(destination);
    for await (const { path, size } of store.list(outputPath(destination.project, folder.place))) {
      hash.update(`there ${path} ${size}\n`);
    }
    return hash.digest('hex');
  }
}

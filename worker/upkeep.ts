/**
 * What a host does by itself, now and then: run folders that no run comes back for are salvaged, and kept ones go by
 * age and when the disk gets full, once everything in them was verified in the store.
 */
import { readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { receiptSchema } from '../contracts/receipt.ts';
import { extensible } from '../contracts/tolerance.ts';
import { falseIfStoreUnavailable, outputPath } from '../stores/artifact-store.ts';
import type { Destination } from './closed-runs.ts';
import type { Host } from './host.ts';
import { endPredecessor } from './predecessor.ts';
import { type RunFolder, readIfThere } from './run-folders.ts';
import { readManifests, readRunFile } from './run-report.ts';

const day = 24 * 3600 * 1000;

/** `kept.json`, left by the clean-up that kept the folder. */
export const keptFileSchema = extensible({ why: z.string(), receipt: receiptSchema });
export type KeptFile = z.infer<typeof keptFileSchema>;

export async function readKept(folder: RunFolder): Promise<KeptFile | null> {
  const text = await readFile(join(folder.path, 'kept.json'), 'utf8').catch(() => null);
  try {
    return text === null ? null : (keptFileSchema.safeParse(JSON.parse(text)).data ?? null);
  } catch {
    return null;
  }
}

/** Where the run of a kept folder lands; null when it never got so far as to have a place. */
export function destinationOf({ place }: Pick<RunFolder, 'place'>, { receipt }: KeptFile): Destination | null {
  const { project, outputFolder } = receipt;
  const store = outputFolder?.slice(0, -outputPath(project, place).length - 1);
  return store ? { project, store } : null;
}

export class Upkeep {
  readonly #host: Host;
  #timer: NodeJS.Timeout | undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  start(): void {
    const round = () => void this.round().catch((error) => this.#host.log.warn({ err: error }, 'upkeep'));
    this.#timer = setInterval(round, this.#host.settings.upkeepSeconds * 1000).unref();
    round();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async round(): Promise<void> {
    const { projects, log: ofHost } = this.#host;
    await projects.keepUsed().catch((error) => ofHost.warn({ err: error }, 'upkeep'));
    for (const folder of await this.#host.folders.list()) {
      const log = this.#host.log.child({ run: folder.run });
      // A store that is unavailable holds up its own runs alone.
      await this.#lookAfter(folder, log).catch((error) => log.warn({ err: error }, 'upkeep'));
    }
    await this.#retire();
  }

  async #lookAfter(folder: RunFolder, log: Logger): Promise<void> {
    if ((await readKept(folder)) !== null) return;
    if (this.#host.sessions.isLive(folder.place)) return;
    const file = await readRunFile(folder);
    if (file && this.#host.runs.isForeign(file.life)) return;
    if (await this.#host.runs.isOpen(folder.run, file?.life ?? null)) return;
    if (!file) return this.#clearUnknown(folder, log);
    const { config } = file;
    if (await this.#host.closedRuns.isSuperseded(folder, config)) {
      await endPredecessor(folder, config.deadlines, new AbortController().signal, log);
      log.info('the run continued elsewhere and was published there: what it left here is removed');
      await this.#host.folders.remove(folder.place);
      return;
    }
    // Again, also after a salvage without this host: what is here was not landed, or the folder would be gone.
    await this.#host.closedRuns.salvage(folder, true);
  }

  /** Without `run.json` nobody can tell where a folder belongs. Its worker died as it made it: there is nothing to lose. */
  async #clearUnknown(folder: RunFolder, log: Logger): Promise<void> {
    if ((await readIfThere(folder.config)) !== null || (await readManifests(folder)).length > 0) {
      log.warn('a run folder without a readable run.json has checkpoints: it is kept for inspection');
      return;
    }
    log.info('a run folder of a closed run in which nothing was started is removed');
    await this.#host.folders.remove(folder.place);
  }

  /** Oldest first; a folder whose every file is not in the store as it is here stays, whatever the limits. */
  async #retire(): Promise<void> {
    const { keptDays, keptFreeBytes, dataFolder } = this.#host.settings;
    const kept: { folder: RunFolder; file: KeptFile; endedAt: number }[] = [];
    for (const folder of await this.#host.folders.list()) {
      const file = await readKept(folder);
      if (file) kept.push({ folder, file, endedAt: Date.parse(file.receipt.endedAt) });
    }
    kept.sort((a, b) => a.endedAt - b.endedAt);
    for (const { folder, file, endedAt } of kept) {
      const { bavail, bsize } = await statfs(dataFolder);
      const tooOld = keptDays > 0 && Date.now() - endedAt > keptDays * day;
      const tooFull = keptFreeBytes > 0 && bavail * bsize < keptFreeBytes;
      if (!tooOld && !tooFull) continue;
      const destination = destinationOf(folder, file);
      const isSafe =
        destination !== null &&
        (await this.#host.closedRuns.isStored(folder, destination).catch(falseIfStoreUnavailable));
      if (!isSafe) continue;
      this.#host.log.info(
        { run: folder.run, tooOld, tooFull },
        'a kept run folder is removed: everything in it is stored',
      );
      await this.#host.folders.remove(folder.place);
    }
  }
}

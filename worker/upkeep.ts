/**
 * What a host does by itself, now and then: run folders that no run comes back for are salvaged, and kept ones go by
 * age and when the disk gets full, once everything in them was verified in the store.
 */
import { readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { isBefore } from '../contracts/checkpoint.ts';
import { receiptSchema } from '../contracts/receipt.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import { outputPath, StoreError } from '../stores/artifact-store.ts';
import { digestFile } from '../stores/file-digest.ts';
import type { Host } from './host.ts';
import { endPredecessor } from './predecessor.ts';
import { filesBelow, isBookkeeping, type RunFolder } from './run-folders.ts';
import { parseJson, readManifests, readRunConfig, start } from './run-report.ts';

const day = 24 * 3600 * 1000;

/** `kept.json`, left by the clean-up that kept the folder. */
export const keptFileSchema = z.object({ why: z.string(), receipt: receiptSchema });
export type KeptFile = z.infer<typeof keptFileSchema>;

export async function readKept(folder: RunFolder): Promise<KeptFile | null> {
  const text = await readFile(join(folder.path, 'kept.json'), 'utf8').catch(() => null);
  try {
    return text === null ? null : (keptFileSchema.safeParse(JSON.parse(text)).data ?? null);
  } catch {
    return null;
  }
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
    for (const folder of await this.#host.folders.list()) {
      const log = this.#host.log.child({ run: folder.run });
      // A store that is away holds up its own runs alone.
      await this.#lookAfter(folder, log).catch((error) => log.warn({ err: error }, 'upkeep'));
    }
    await this.#retire();
  }

  async #lookAfter(folder: RunFolder, log: Logger): Promise<void> {
    if ((await readKept(folder)) !== null) return;
    if (this.#host.sessions.isLive(folder.run) || (await this.#host.runs.isOpen(folder.run))) return;
    const config = await readRunConfig(folder);
    if (config && (await this.#isSuperseded(folder, config))) {
      await endPredecessor(folder, config.deadlines, new AbortController().signal, log);
      log.info('the run went on elsewhere and has landed there: what it left here is removed');
      await this.#host.folders.remove(folder.run);
      return;
    }
    // Again, also after a salvage without this host: what is here was not landed, or the folder would be gone.
    await this.#host.runs.salvage(this.#host.salvageInput(folder.run), true);
  }

  /**
   * The run left this host behind (handed over, or lost sight of), and what it came to is in the store: publishing from
   * here would put older files over the newer ones. Not so when it ended without word from this host, which has the rest.
   */
  async #isSuperseded(folder: RunFolder, config: RunConfig): Promise<boolean> {
    const bytes = await this.#host.storeOf(config).read(`${outputPath(config.project, folder.run)}/receipt.json`);
    const receipt = bytes ? parseJson(receiptSchema, Buffer.from(bytes).toString('utf8')) : null;
    if (!receipt || receipt.publishedBytes === 0) return false;
    if (receipt.outcome === 'salvaged' || receipt.outcome === 'lost') {
      const newest = (await readManifests(folder)).at(-1) ?? start;
      return receipt.checkpoints.some((checkpoint) => isBefore(newest, checkpoint));
    }
    return !('host' in receipt.localFolder && receipt.localFolder.host === this.#host.id);
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
      // A store that is away vouches for nothing.
      const isStored = await this.isStored(folder, file).catch((error) => {
        if (error instanceof StoreError) return false;
        throw error;
      });
      if (!isStored) continue;
      this.#host.log.info(
        { run: folder.run, tooOld, tooFull },
        'a kept run folder is removed: all of it is in the store',
      );
      await this.#host.folders.remove(folder.run);
    }
  }

  /** Every file that would be published is in the store, read again, with its size and sha256. */
  async isStored(folder: RunFolder, { receipt }: KeptFile): Promise<boolean> {
    const config = { store: receipt.outputFolder?.slice(0, -outputPath(receipt.project, receipt.run).length - 1) };
    if (!config.store) return false;
    const store = this.#host.storeOf({ store: config.store });
    for await (const path of filesBelow(folder.path)) {
      if (isBookkeeping(path)) continue;
      const here = await digestFile(join(folder.path, path));
      const there = await store.verify(`${outputPath(receipt.project, receipt.run)}/${path}`);
      if (!there || there.size !== here.size || there.sha256 !== here.sha256) return false;
    }
    return true;
  }
}

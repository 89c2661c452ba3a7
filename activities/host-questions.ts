/** What clients ask a host directly: what it is doing, which trainers it has, which run folders it keeps. */
import { readFile, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ApplicationFailure } from '@temporalio/activity';
import type { HostStatus, KeptFolder, TrainerList } from '../contracts/host-messages.ts';
import { receiptSchema } from '../contracts/receipt.ts';
import type { Host } from '../worker/host.ts';
import { readGpus } from '../worker/gpus.ts';
import { hasPredecessor } from '../worker/predecessor.ts';
import { folderBytes, type RunFolder } from '../worker/run-folders.ts';
import { working } from './activity-support.ts';

export const listTrainers =
  (host: Host) =>
  (): Promise<TrainerList> =>
    working('list the trainers', (signal, progress) =>
      host.trainers.manifests({ signal, onProgress: (doing) => (progress.doing = doing) }),
    );

export const hostStatus =
  (host: Host) =>
  async (): Promise<HostStatus> => {
    const { bavail, bsize } = await statfs(host.settings.dataFolder);
    return {
      host: host.id,
      pool: host.settings.pool,
      slots: { total: host.slots.total, taken: host.slots.taken },
      devices: (await readGpus()).map(({ name, memoryBytes, usedBytes }) => ({ name, memoryBytes, usedBytes })),
      freeDiskBytes: bavail * bsize,
      dataFolder: host.settings.dataFolder,
    };
  };

export const listData =
  (host: Host) =>
  (): Promise<KeptFolder[]> =>
    working('list the run folders', async () => {
      const folders = await host.folders.list();
      return Promise.all(folders.map((folder) => describeFolder(host, folder)));
    });

/** Refuses a folder that is in use, and one that is not there. */
export const removeData =
  (host: Host) =>
  (run: string): Promise<void> =>
    working('remove a run folder', async () => {
      const folder = (await host.folders.list()).find((found) => found.run === run);
      if (!folder) throw refusal(`run is ${JSON.stringify(run)}: ${host.id} keeps no folder of it`);
      const { state, why } = await describeFolder(host, folder);
      if (state === 'live') throw refusal(`run is ${JSON.stringify(run)}: its folder is in use (${why})`);
      await host.folders.remove(run);
    });

const refusal = (message: string) => ApplicationFailure.create({ type: 'Invalid', message, nonRetryable: true });

/** `kept.json`, left by the clean-up that kept the folder. */
const keptSchema = z.object({ why: z.string(), receipt: receiptSchema });

async function describeFolder(host: Host, folder: RunFolder): Promise<KeptFolder> {
  const bytes = await folderBytes(folder.path);
  const modifiedAt = (await stat(folder.path)).mtime.toISOString();
  const about = { run: folder.run, host: host.id, path: folder.path, bytes, modifiedAt };
  const text = await readFile(join(folder.path, 'kept.json'), 'utf8').catch(() => null);
  const kept = text === null ? null : keptSchema.safeParse(JSON.parse(text)).data;
  if (kept) return { ...about, state: 'kept', why: kept.why, stored: kept.receipt.publishedBytes > 0 };
  const trains = host.sessions.isLive(folder.run) || (await hasPredecessor(folder));
  return { ...about, state: 'live', why: trains ? 'its trainer runs' : 'its run is not over', stored: false };
}

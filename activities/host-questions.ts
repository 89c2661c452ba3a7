/** What clients ask a host directly: what it is doing, which trainers it has, which run folders it keeps. */
import { stat, statfs } from 'node:fs/promises';
import { ApplicationFailure } from '@temporalio/activity';
import type { HostStatus, KeptFolder, TrainerList } from '../contracts/host-messages.ts';
import { salvageId } from '../contracts/salvage-messages.ts';
import { readGpus } from '../worker/gpus.ts';
import type { Host } from '../worker/host.ts';
import { hasPredecessor } from '../worker/predecessor.ts';
import { folderBytes, type RunFolder } from '../worker/run-folders.ts';
import { readKept } from '../worker/upkeep.ts';
import { working } from './activity-support.ts';

export const listTrainers = (host: Host) => (): Promise<TrainerList> =>
  working('list the trainers', (signal, progress) =>
    host.trainers.manifests({ signal, onProgress: (doing) => (progress.doing = doing) }),
  );

export const hostStatus = (host: Host) => async (): Promise<HostStatus> => {
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

export const listData = (host: Host) => (): Promise<KeptFolder[]> =>
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

/** Has a kept folder published again, now; `epochal watch salvage-<run>` and the Temporal UI show how it goes. */
export const publishData =
  (host: Host) =>
  (run: string): Promise<string> =>
    working('publish a run folder', async () => {
      const folder = (await host.folders.list()).find((found) => found.run === run);
      if (!folder) throw refusal(`run is ${JSON.stringify(run)}: ${host.id} keeps no folder of it`);
      if (await host.runs.isOpen(run))
        throw refusal(`run is ${JSON.stringify(run)}: it is not over, and publishes by itself`);
      await host.runs.salvage(host.salvageInput(run), true);
      return salvageId(run);
    });

const refusal = (message: string) => ApplicationFailure.create({ type: 'Invalid', message, nonRetryable: true });

async function describeFolder(host: Host, folder: RunFolder): Promise<KeptFolder> {
  const bytes = await folderBytes(folder.path);
  const modifiedAt = (await stat(folder.path)).mtime.toISOString();
  const about = { run: folder.run, host: host.id, path: folder.path, bytes, modifiedAt };
  const kept = await readKept(folder);
  if (kept) return { ...about, state: 'kept', why: kept.why, stored: kept.receipt.publishedBytes > 0 };
  const trains = host.sessions.isLive(folder.run) || (await hasPredecessor(folder));
  return { ...about, state: 'live', why: trains ? 'its trainer runs' : 'its run is not over', stored: false };
}

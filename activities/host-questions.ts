/** What clients ask a host directly: what it is doing, which trainers it has, which run folders it keeps. */
import { stat, statfs } from 'node:fs/promises';
import { ApplicationFailure } from '@temporalio/activity';
import { contractVersion, type HostStatus, type KeptFolder, type TrainerList } from '../contracts/host-messages.ts';
import type { Life } from '../contracts/life.ts';
import { name as nameSchema } from '../contracts/names.ts';
import { protocolVersion } from '../contracts/protocol.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import { salvageId } from '../contracts/salvage-messages.ts';
import { falseIfStoreUnavailable, outputPath } from '../stores/artifact-store.ts';
import { readGpus } from '../worker/gpus.ts';
import type { Host } from '../worker/host.ts';
import { inGroups } from '../worker/in-groups.ts';
import { hasPredecessor } from '../worker/predecessor.ts';
import { folderBytes, type RunFolder } from '../worker/run-folders.ts';
import { readRunFile } from '../worker/run-report.ts';
import { StoredAnswers } from '../worker/stored-answers.ts';
import { destinationOf, readKept } from '../worker/upkeep.ts';
import { version } from '../worker/version.ts';
import { working } from './activity-support.ts';

export const listTrainers = (host: Host) => (): Promise<TrainerList> =>
  working('list the trainers', (signal, progress) =>
    host.trainers.manifests({ signal, onProgress: (doing) => (progress.doing = doing) }),
  );

/** Answers for how many seconds the run counts as watched. */
export const watchRun =
  (host: Host) =>
  async (run: string): Promise<number> =>
    host.watched.watch(nameSchema.parse(run));

/** `can`: the activities that this host serves. */
export const hostStatus = (host: Host, can: () => string[]) => async (): Promise<HostStatus> => {
  const { bavail, bsize } = await statfs(host.settings.dataFolder);
  return {
    host: host.id,
    pool: host.settings.pool,
    slots: { total: host.slots.total, taken: host.slots.taken },
    devices: (await readGpus()).map(({ name, memoryBytes, usedBytes }) => ({ name, memoryBytes, usedBytes })),
    freeDiskBytes: bavail * bsize,
    dataFolder: host.settings.dataFolder,
    software: {
      version,
      contract: contractVersion,
      protocol: { from: protocolVersion, to: protocolVersion },
      can: can(),
    },
  };
};

export const listData = (host: Host): (() => Promise<KeptFolder[]>) => {
  const stored = new StoredAnswers(host.stores, host.closedRuns);
  return () =>
    working('list the run folders', async () => {
      const folders = await host.folders.list();
      return inGroups(folders, (folder) => describeFolder(host, stored, folder));
    });
};

/** Refuses a folder that is in use, and one that is not there. */
export const removeData =
  (host: Host) =>
  (place: string): Promise<void> =>
    working('remove a run folder', async () => {
      const folder = (await host.folders.list()).find((found) => found.place === place);
      if (!folder) throw refusal(`run is ${JSON.stringify(place)}: ${host.id} has no folder of it`);
      const why = (await whyTrains(host, folder)) ?? (await whyOpen(host, folder));
      if (why !== null) throw refusal(`run is ${JSON.stringify(place)}: its folder is in use (${why})`);
      await host.folders.remove(place);
    });

/** Has a kept folder published again, now; `epochal watch salvage-<run>` and the Temporal UI show how it goes. */
export const publishData =
  (host: Host) =>
  (place: string): Promise<string> =>
    working('publish a run folder', async () => {
      const folder = (await host.folders.list()).find((found) => found.place === place);
      if (!folder) throw refusal(`run is ${JSON.stringify(place)}: ${host.id} has no folder of it`);
      const file = await readRunFile(folder);
      if (file && host.runs.isForeign(file.life))
        throw refusal(`run is ${JSON.stringify(place)}: its folder on ${host.id} is ${ofAnother(file.life)}`);
      if (await host.runs.isOpen(folder.run, file?.life ?? null))
        throw refusal(`run is ${JSON.stringify(place)}: it is not over, and will publish when it ends`);
      const config = file?.config;
      if (!config)
        throw refusal(
          `run is ${JSON.stringify(place)}: its folder on ${host.id} has no run.json that says where it belongs`,
        );
      // Where the store is away the salvage waits for it, and looks then.
      if (await host.closedRuns.isSuperseded(folder, config).catch(falseIfStoreUnavailable)) {
        const output = `${(await host.stores.of(config)).address}/${outputPath(config.project, place)}`;
        throw refusal(
          `run is ${JSON.stringify(place)}: its files on ${host.id} are older than those published in ${output}, and are not published over them`,
        );
      }
      await host.closedRuns.salvage(folder, true);
      return salvageId(place);
    });

const refusal = (message: string) => ApplicationFailure.create({ type: 'Invalid', message, nonRetryable: true });

const whyTrains = async (host: Host, folder: RunFolder) =>
  host.sessions.isLive(folder.place) || (await hasPredecessor(folder)) ? 'its trainer is running' : null;
/** Of a run in another namespace nobody here can tell whether it is over. */
async function whyOpen(host: Host, folder: RunFolder): Promise<string | null> {
  const life = (await readRunFile(folder))?.life ?? null;
  if (life && host.runs.isForeign(life)) return `it is ${ofAnother(life)}`;
  return (await host.runs.isOpen(folder.run, life)) ? 'its run is not over' : null;
}

const ofAnother = ({ namespace }: Life) =>
  `of a run in another Temporal namespace (id ${namespace}), and left to a worker there`;

async function describeFolder(host: Host, stored: StoredAnswers, folder: RunFolder): Promise<KeptFolder> {
  const bytes = await folderBytes(folder.path);
  const modifiedAt = (await stat(folder.path)).mtime.toISOString();
  const about = { run: folder.place, host: host.id, path: folder.path, bytes, modifiedAt };
  const kept = await readKept(folder);
  if (kept) return { ...about, state: 'kept', ...(await stored.of(folder, destinationOf(folder, kept), kept.why)) };
  const file = await readRunFile(folder);
  if (file && host.runs.isForeign(file.life))
    return { ...about, state: 'unknown', why: ofAnother(file.life), stored: false };
  const inUse = (await whyTrains(host, folder)) ?? (await whyOpen(host, folder));
  if (inUse !== null) return { ...about, state: 'live', why: inUse, stored: false };
  const config = file?.config ?? null;
  return { ...about, state: 'left', ...(await stored.of(folder, config, await whyLeft(host, folder, config))) };
}

/** Nobody kept it: the run ended without this host. */
async function whyLeft(host: Host, folder: RunFolder, config: RunConfig | null): Promise<string> {
  if (!config) return 'its run is over, and no run.json says where it belongs';
  const isOlder = await host.closedRuns.isSuperseded(folder, config).catch(falseIfStoreUnavailable);
  return isOlder
    ? 'its run continued elsewhere and was published there; this host will remove the folder'
    : 'its run is over, and the files here are not published yet; this host will publish them';
}

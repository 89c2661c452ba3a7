/** This host: the parts that activities work with, made once for each worker process. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { sessionFileSchema } from '../contracts/protocol.ts';
import { AllowedPaths } from './allowed-paths.ts';
import { ClosedRuns } from './closed-runs.ts';
import { DataSets } from './data-sets.ts';
import type { Devices } from './devices.ts';
import { HostMetrics } from './host-metrics.ts';
import { inGroups } from './in-groups.ts';
import { KeyedMutex } from './keyed-mutex.ts';
import { ContainerLauncher } from './launchers/container.ts';
import { hostLauncher } from './launchers/host-launcher.ts';
import { Observers } from './observers.ts';
import { hostId, RunFolders, readIfThere } from './run-folders.ts';
import { parseJson } from './run-report.ts';
import type { Runs } from './runs.ts';
import { SessionSockets } from './session-sockets.ts';
import { Sessions } from './sessions.ts';
import type { WorkerSettings } from './settings.ts';
import { Slots } from './slots.ts';
import { Stores } from './stores.ts';
import { type ProjectFolder, SuperviselyProjects } from './supervisely/projects.ts';
import { TrainerCatalog } from './trainer-catalog.ts';
import { version } from './version.ts';
import { WatchedRuns } from './watched-runs.ts';

export type { ProjectFolder };

export interface Host {
  readonly id: string;
  readonly settings: WorkerSettings;
  readonly log: Logger;
  readonly devices: Devices;
  readonly folders: RunFolders;
  readonly trainers: TrainerCatalog;
  readonly dataSets: DataSets;
  readonly stores: Stores;
  readonly allowedPaths: AllowedPaths;
  readonly projects: SuperviselyProjects;
  readonly slots: Slots;
  readonly runs: Runs;
  readonly closedRuns: ClosedRuns;
  readonly sessions: Sessions;
  readonly observers: Observers;
  readonly watched: WatchedRuns;
  readonly metrics: HostMetrics;
  /** A run's output folder is written by one activity at a time: what keeps, and what publishes at the end. */
  readonly outputs: KeyedMutex;
  /** A run's session is opened by one activity at a time. */
  readonly openings: KeyedMutex;
  /** Null where no session may be in one. */
  readonly containers: ContainerLauncher | null;
}

/** Throws when the data folder cannot be written. */
export async function openHost(settings: WorkerSettings, devices: Devices, runs: Runs, logger: Logger): Promise<Host> {
  const { pool, dataFolder, cacheFolder } = settings;
  const id = await hostId(dataFolder);
  const log = logger.child({ host: id });
  const folders = new RunFolders(dataFolder);
  // What a worker before this one was bringing as it died: nobody else has this data folder.
  await rm(folders.moving, { recursive: true, force: true });
  const containers = settings.containers && new ContainerLauncher(settings.containers, { host: id, cacheFolder });
  const tellEnvironment = (trainer: string, doing: string) => log.info({ trainer }, `Python environment: ${doing}`);
  const trainers = new TrainerCatalog(settings.trainersFolders, tellEnvironment, containers);
  const slots = new Slots(settings.slots ?? Math.max(1, devices.gpus.length), (taken) =>
    log.info({ runs: taken }, `all ${taken.length} slots are taken: other runs of pool ${pool} wait for one`),
  );
  const stores = new Stores(settings.store, dataFolder);
  const { allowedStores, superviselyProjects } = settings;
  const allowedPaths = new AllowedPaths(settings.allowedPaths, undefined, allowedStores, superviselyProjects);
  const projects = new SuperviselyProjects(join(cacheFolder, 'supervisely'), () => dataInUse(folders));
  const outputs = new KeyedMutex();
  const closedRuns = new ClosedRuns({ id, pool, stores, runs });
  const { sessionIdleSeconds } = settings;
  const shared = {
    id,
    log,
    devices,
    folders,
    trainers,
    slots,
    stores,
    allowedPaths,
    projects,
    outputs,
    runs,
    closedRuns,
  };
  const sessions = new Sessions({
    ...{
      ...shared,
      launcher: hostLauncher(containers),
      containers,
      sessionIdleSeconds,
    },
    sockets: new SessionSockets(dataFolder),
  });
  const dataSets = new DataSets(id, settings.dataSetsFolders, cacheFolder);
  const { webhook, notify, trackers } = settings;
  const observers = new Observers({
    ...{ webhook, notify, trackers, stores: allowedStores && [settings.store, ...allowedStores] },
    onProgress: (tracker, doing) => log.info({ tracker }, `Python environment: ${doing}`),
  });
  const metrics = new HostMetrics({ host: id, pool, version, slots, sessions });
  const watched = new WatchedRuns();
  return {
    ...shared,
    settings,
    dataSets,
    sessions,
    observers,
    watched,
    metrics,
    openings: new KeyedMutex(),
    containers,
  };
}

/** What the sessions of this host read, those that ended with their files kept included. */
async function dataInUse(folders: RunFolders): Promise<Set<string>> {
  const texts = await inGroups(await folders.list(), ({ session }) => readIfThere(session).catch(() => null));
  return new Set(texts.flatMap((text) => (text && parseJson(sessionFileSchema, text)?.data) || []));
}

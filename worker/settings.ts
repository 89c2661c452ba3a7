/** Settings of a worker, from its environment. Bad values are refused before anything starts. */
import { homedir, platform } from 'node:os';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { problemsOf } from '../contracts/config-problems.ts';
import { problemSentence } from '../contracts/failure.ts';
import { cacheFolder, dataFolder } from '../contracts/folders.ts';
import { type ListenAddress, listenAddress, readListenAddress } from '../contracts/listen-address.ts';
import { name } from '../contracts/names.ts';
import { packageFolder } from '../contracts/package-folder.ts';
import { workflowQueue } from '../contracts/queues.ts';
import { storeAddress } from '../contracts/run-config.ts';
import type { TrackerName } from '../contracts/trackers.ts';
import { type NotifySettings, readNotify } from '../observers/notify-settings.ts';
import { readWebhook, type WebhookSettings } from '../observers/webhook-settings.ts';
import { addressProblem, isFolderAddress, openStore } from '../stores/open-store.ts';
import { folderOf } from './allowed-paths.ts';
import { type ContainerSettings, containerVariables, readContainers } from './container-settings.ts';
import { readTrainerVariables } from './program-environment.ts';
import { spotClouds } from './spot/open-spot-source.ts';
import { readTrackers } from './tracker-settings.ts';

export interface WorkerSettings {
  /** Absolute. */
  dataFolder: string;
  cacheFolder: string;
  /** Address of the store for runs that name none. */
  store: string;
  pool: string;
  /** GPU slots; null: one a GPU, or one where there is none. */
  slots: number | null;
  /** Folders with trainers, first match wins; the built-in ones are last. */
  trainersFolders: string[];
  /** Folders whose folders are data sets. */
  dataSetsFolders: string[];
  /** Folders that the paths of a configuration must be in, links resolved; null: any path will do. */
  allowedPaths: string[] | null;
  /** Addresses that stores of a configuration must be below, where they are not folders; null: any will do. */
  allowedStores: string[] | null;
  /** Numbers of projects of a Supervisely server that runs may read; null: any will do. */
  superviselyProjects: number[] | null;
  workflowQueue: string;
  /** How long a session may go without a word from its run before it checkpoints and ends. */
  sessionIdleSeconds: number;
  /** How long kept folders stay, in days; 0: until someone removes them. */
  keptDays: number;
  /** Free bytes below which kept folders go, oldest first; 0: never to free space. */
  keptFreeBytes: number;
  /** How often run folders that nobody comes back for are looked for. */
  upkeepSeconds: number;
  /** How long a salvage waits for the host that had the run. */
  hostReturnSeconds: number;
  /** Where Prometheus reads metrics; null: nowhere. */
  metricsAddress: ListenAddress | null;
  /** Where events of runs are told; null: nowhere. */
  webhook: WebhookSettings | null;
  /** Who is notified of what; null: nobody. */
  notify: NotifySettings | null;
  /** What sessions have that run in containers; null: none may. */
  containers: ContainerSettings | null;
  /** Whom runs are told to that choose no tracker. */
  trackers: TrackerName[];
  /** Who says that this machine is about to be taken away: a cloud, or an address; null: nobody is asked. */
  spot: string | null;
}

const builtInTrainers = fileURLToPath(new URL('trainers', packageFolder));
export const pythonSdkFolder = join(builtInTrainers, 'epochal');

const count = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
const linkEndpoint = z
  .string()
  .refine((address) => address === 'none' || z.url({ protocol: /^https?$/ }).safeParse(address).success, {
    error: 'must be an http: or https: address, or none',
  })
  .optional();

const environmentSchema = z.object({
  EPOCHAL_STORE: storeAddress
    .superRefine((address, context) => {
      const problem = isFolderAddress(address) ? null : addressProblem(address);
      if (problem !== null) context.addIssue({ code: 'custom', message: `must be the address of a store: ${problem}` });
    })
    .optional(),
  EPOCHAL_POOL: name.default('gpu'),
  EPOCHAL_SLOTS: count(1, 1024).optional(),
  EPOCHAL_TRAINERS: z.string().optional(),
  EPOCHAL_DATA_SETS: z.string().optional(),
  EPOCHAL_ALLOWED_PATHS: z
    .string()
    .refine((text) => text === '*' || foldersOf(text).every((folder) => isAbsolute(folder)), {
      error: `must be absolute paths of folders, separated by "${delimiter}", or * alone, which allows every path`,
    })
    .optional(),
  EPOCHAL_ALLOWED_STORES: z
    .string()
    .refine(
      (text) =>
        text === '*' ||
        listOf(text).every((address) => /^([a-z][a-z0-9]*:\/\/[^/@\s]+(\/|$)|teamfiles:\/(?!\/))/.test(address)),
      {
        error:
          'must be addresses of stores, or what they begin with, such as s3://bucket/team or teamfiles:/folder, separated by commas, or * alone, which allows every store',
      },
    )
    .optional(),
  EPOCHAL_SUPERVISELY_PROJECTS: z
    .string()
    .refine((text) => text === '*' || listOf(text).every((one) => /^[1-9]\d{0,14}$/.test(one)), {
      error: 'must be numbers of projects, separated by commas, or * alone, which allows every project',
    })
    .optional(),
  /** Read where links are made. */
  EPOCHAL_LINK_ENDPOINT: linkEndpoint,
  EPOCHAL_LINK_ENDPOINT_AZURE: linkEndpoint,
  EPOCHAL_LINK_ENDPOINT_GCS: linkEndpoint,
  EPOCHAL_WORKFLOW_QUEUE: name.default(workflowQueue),
  EPOCHAL_SESSION_IDLE_SECONDS: count(5, 7 * 24 * 3600).default(300),
  EPOCHAL_KEPT_DAYS: count(0, 3650).default(0),
  EPOCHAL_KEPT_FREE_GB: count(0, 1_000_000).default(0),
  EPOCHAL_UPKEEP_SECONDS: count(1, 24 * 3600).default(600),
  EPOCHAL_HOST_RETURN_SECONDS: count(1, 7 * 24 * 3600).default(300),
  EPOCHAL_TRAINER_ENV: z
    .string()
    .refine((text) => readTrainerVariables(text).refused.length === 0, {
      error:
        'must be names of variables, * for any characters, separated by commas; none of TEMPORAL_* and EPOCHAL_* is handed on',
    })
    .optional(),
  EPOCHAL_METRICS_ADDRESS: listenAddress.optional(),
  /** Read where Temporal's SDK is set up, which is before the settings are. */
  EPOCHAL_TEMPORAL_METRICS_ADDRESS: listenAddress.optional(),
  EPOCHAL_TRACKERS: z.string().default(''),
  EPOCHAL_SPOT: z
    .string()
    .refine(
      (text) => spotClouds.some((cloud) => cloud === text) || z.url({ protocol: /^https?$/ }).safeParse(text).success,
      {
        error: `must be ${spotClouds.join(', ')}, or an http: or https: address that tells`,
      },
    )
    .optional(),
  EPOCHAL_TRACKER_FILES: z.string().default(''),
  EPOCHAL_NOTIFY: z.string().refine(isAbsolute, 'must be the absolute path of a file').optional(),
  EPOCHAL_WEBHOOK: z.string().optional(),
  EPOCHAL_WEBHOOK_SECRET: z.string().optional(),
  EPOCHAL_WEBHOOK_EVENTS: z.string().optional(),
  ...containerVariables,
  /** Read by the loggers, which are there before the settings are. */
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).optional(),
});

const foldersOf = (text = '') => text.split(delimiter).filter(Boolean);

/** Runs that name no store have `store`, whatever the variable says. `own`: what else is allowed where it says nothing. */
function allowedPaths(value: string | undefined, store: string, own: readonly string[]): string[] | null {
  if (value === '*') return null;
  const started = process.cwd();
  const folders =
    value === undefined
      ? [...own, ...(isRootFolder(started) ? [] : [started])]
      : foldersOf(value).map((folder) => resolve(folder));
  return [...new Set([...folders, folderOf(store)])].filter(Boolean);
}

const listOf = (text: string) =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean);

/** A worker's own credentials open them: nothing but its own store, unless it is said. */
function allowedStores(value: string | undefined, store: string): string[] | null {
  if (value === '*') return null;
  return [...listOf(value ?? ''), ...(isFolderAddress(store) ? [] : [openStore(store).address])];
}

/** A service that was started in the root folder was started nowhere in particular. */
const isRootFolder = (folder: string) => resolve(folder, '..') === folder;

/** Throws an Error with one sentence per bad variable. An empty variable counts as unset. */
export function readSettings(env: NodeJS.ProcessEnv = process.env): WorkerSettings {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success) {
    throw new Error(problemsOf(parsed.error, given, environmentSchema).map(problemSentence).join('; '));
  }
  const values = parsed.data;
  const machine = { env, platform: platform(), home: homedir() };
  const data = resolve(dataFolder(machine));
  const store = values.EPOCHAL_STORE ?? join(data, 'store');
  const trainersFolders = [...foldersOf(values.EPOCHAL_TRAINERS).map((folder) => resolve(folder)), builtInTrainers];
  const dataSetsFolders = values.EPOCHAL_DATA_SETS
    ? foldersOf(values.EPOCHAL_DATA_SETS).map((folder) => resolve(folder))
    : [join(data, 'data-sets')];
  return {
    dataFolder: data,
    cacheFolder: resolve(cacheFolder(machine)),
    store,
    pool: values.EPOCHAL_POOL,
    slots: values.EPOCHAL_SLOTS ?? null,
    trainersFolders,
    dataSetsFolders,
    allowedPaths: allowedPaths(values.EPOCHAL_ALLOWED_PATHS, store, [...dataSetsFolders, ...trainersFolders]),
    allowedStores: allowedStores(values.EPOCHAL_ALLOWED_STORES, store),
    superviselyProjects:
      values.EPOCHAL_SUPERVISELY_PROJECTS === '*'
        ? null
        : listOf(values.EPOCHAL_SUPERVISELY_PROJECTS ?? '').map(Number),
    workflowQueue: values.EPOCHAL_WORKFLOW_QUEUE,
    sessionIdleSeconds: values.EPOCHAL_SESSION_IDLE_SECONDS,
    keptDays: values.EPOCHAL_KEPT_DAYS,
    keptFreeBytes: values.EPOCHAL_KEPT_FREE_GB * 1e9,
    upkeepSeconds: values.EPOCHAL_UPKEEP_SECONDS,
    hostReturnSeconds: values.EPOCHAL_HOST_RETURN_SECONDS,
    metricsAddress: readListenAddress(values.EPOCHAL_METRICS_ADDRESS ?? ''),
    webhook: readWebhook(values),
    notify: values.EPOCHAL_NOTIFY === undefined ? null : readNotify(values.EPOCHAL_NOTIFY, env),
    containers: readContainers(values),
    trackers: readTrackers(values.EPOCHAL_TRACKERS, env),
    spot: values.EPOCHAL_SPOT ?? null,
  };
}

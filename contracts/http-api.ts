/**
 * The HTTP API: every route with its method, path, inputs and answer, for the server, the web and their tests.
 *
 * Addresses are built by `addressOf`, answers are typed by `Answer<'runs'>`. An answer with a status of 400 or more is
 * a `refusalSchema` whatever the route.
 */
import { z } from 'zod';
import { chartGraphSchema } from './chart-graph.ts';
import { ledgerEntrySchema, type metricsSchema } from './checkpoint.ts';
import { dataSetDetailsSchema, dataSetItemsSchema, dataSetSummarySchema } from './data-set.ts';
import { configProblemSchema } from './failure.ts';
import { checkedConfigSchema, hostStatusSchema, keptFolderSchema, trainerListSchema } from './host-messages.ts';
import { name, placeName, relativePath } from './names.ts';
import { progressSchema, workProgressSchema } from './progress.ts';
import { outcomeSchema, receiptSchema, runStateSchema, stopModeSchema } from './receipt.ts';
import { fileSourceSchema, logLinesSchema } from './run-files.ts';
import { configureSchema, runEventSchema, runViewSchema } from './run-messages.ts';
import { runSummarySchema } from './run-summary.ts';

// ── Refusals

/**
 * - invalid 400: `problems` names fields, values and what is allowed.
 * - unauthorized 401: the token is missing or wrong. forbidden 403: another origin or host name.
 * - notFound 404: no such run, file, host. wrongState 409: not in the run's present state, or a run id in use.
 * - tooLarge 413, tooMany 429: limits. internal 500: a defect of ours. failed 502: a worker or Temporal tried and failed.
 * - temporalAway 503: the Temporal server does not answer. workersAway 503: no worker of the pool, or not that host, does.
 */
export const refusalKindSchema = z.enum([
  'invalid',
  'unauthorized',
  'forbidden',
  'notFound',
  'wrongState',
  'tooLarge',
  'tooMany',
  'internal',
  'failed',
  'temporalAway',
  'workersAway',
]);
export type RefusalKind = z.infer<typeof refusalKindSchema>;

export const refusalSchema = z.strictObject({
  kind: refusalKindSchema,
  /** One sentence for a person. */
  message: z.string(),
  /** Beside their fields, where it is about fields. */
  problems: z.array(configProblemSchema),
});
export type Refusal = z.infer<typeof refusalSchema>;

export const refusalStatus: Readonly<Record<RefusalKind, number>> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  notFound: 404,
  wrongState: 409,
  tooLarge: 413,
  tooMany: 429,
  internal: 500,
  failed: 502,
  temporalAway: 503,
  workersAway: 503,
};

// ── Connection and settings

export const workerSeenSchema = z.strictObject({
  host: z.string(),
  pool: z.string(),
  seenAt: z.iso.datetime().nullable(),
});
export type WorkerSeen = z.infer<typeof workerSeenSchema>;

export const healthSchema = z.strictObject({
  at: z.iso.datetime(),
  temporal: z.strictObject({
    reachable: z.boolean(),
    address: z.string(),
    namespace: z.string(),
    /** A sentence while it is not reachable. */
    problem: z.string().nullable(),
  }),
  /** Workers that asked for work within the last minute or so; empty: every worker is away. */
  workers: z.array(workerSeenSchema),
  /** Each pool that has workers, and the default one in any case. */
  pools: z.array(z.strictObject({ pool: z.string(), workers: z.int().min(0) })),
});
export type Health = z.infer<typeof healthSchema>;

export const settingsSchema = z.strictObject({
  version: z.string(),
  /** Address of the Temporal UI, or null where none is known. */
  temporalUi: z.string().nullable(),
  namespace: z.string(),
  defaultPool: z.string(),
  /** JSON Schema (draft 2020-12) of a run's configuration; `parameters` is any mapping in it: see the trainer's own. */
  configSchema: z.record(z.string(), z.json()),
});
export type Settings = z.infer<typeof settingsSchema>;

/** Whether this server asks for a token, and whether this browser has given it. */
export const accessSchema = z.strictObject({ tokenRequired: z.boolean(), granted: z.boolean() });
export type Access = z.infer<typeof accessSchema>;

// ── Runs

export const runSortSchema = z.enum([
  'recent',
  'oldest',
  'bestMetric',
  '-bestMetric',
  'run',
  '-run',
  'closedAt',
  '-closedAt',
]);
export type RunSort = z.infer<typeof runSortSchema>;

/**
 * `recent` is Temporal's own order (open runs first, then by when they closed, newest first) and pages without a limit.
 * The others sort the newest 10,000 matches; `sortedAll` is false when there were more.
 */
const runsQuerySchema = z.strictObject({
  state: runStateSchema.optional(),
  outcome: outcomeSchema.optional(),
  trainer: name.optional(),
  project: name.optional(),
  /** Runs whose id begins with this. */
  text: z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9._-]*$/, 'allowed are letters, digits, ".", "_" and "-"')
    .optional(),
  sort: runSortSchema.default('recent'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  /** `next` of the page before. */
  cursor: z.string().min(1).max(4096).optional(),
});

export const runsPageSchema = z.strictObject({
  runs: z.array(runSummarySchema),
  next: z.string().nullable(),
  /** How many match in all; null where Temporal does not say. */
  total: z.int().min(0).nullable(),
  sortedAll: z.boolean(),
});
export type RunsPage = z.infer<typeof runsPageSchema>;

/** What is being done now: batches of an epoch, or set-up, storing, publishing. */
export const liveProgressSchema = z.union([
  z.strictObject({ kind: z.literal('training'), ...progressSchema.shape }),
  z.strictObject({
    kind: z.literal('work'),
    /** `openSession`, `keepCheckpoints`, `publish`, … */
    activity: z.string(),
    ...workProgressSchema.shape,
    at: z.iso.datetime(),
  }),
  z.strictObject({
    /** No host has taken it up: `ahead` runs of its pool come first, by priority and by how long they have waited. */
    kind: z.literal('waiting'),
    pool: z.string(),
    ahead: z.int().min(0),
    since: z.iso.datetime(),
  }),
]);
export type LiveProgress = z.infer<typeof liveProgressSchema>;

export const runDetailsSchema = z.strictObject({
  summary: runSummarySchema,
  /** Null while no worker answers for it: `trouble` says so, and the summary is all there is. */
  view: runViewSchema.nullable(),
  progress: z.array(liveProgressSchema),
  trouble: z.string().nullable(),
  /** The run in the Temporal UI. */
  temporalUi: z.string().nullable(),
});
export type RunDetails = z.infer<typeof runDetailsSchema>;

/** Rows of the table that are on the screen, live. A run that is over, or does nothing now, has an empty list. */
export const runsProgressSchema = z.record(z.string(), z.array(liveProgressSchema));
export type RunsProgress = z.infer<typeof runsProgressSchema>;

/** As written: unknown fields and wrong values come back as problems, each with its field. */
const configInputSchema = z.record(z.string(), z.unknown());

export const startedSchema = z.strictObject({ run: z.string(), view: runViewSchema.nullable() });
export type Started = z.infer<typeof startedSchema>;

/** The same configuration as fields, as YAML without what is default, and as the command that trains it. */
export const writtenConfigSchema = z.strictObject({
  config: configInputSchema,
  yaml: z.string(),
  command: z.string(),
});
export type WrittenConfig = z.infer<typeof writtenConfigSchema>;

/** What YAML text holds. `config` is null where the text is not a mapping; `problems` are those of the contract alone. */
export const readConfigSchema = z.strictObject({
  config: configInputSchema.nullable(),
  problems: z.array(
    z.strictObject({
      ...configProblemSchema.shape,
      /** 1-based line and column in the YAML, where known. */
      line: z.int().min(1).nullable(),
      column: z.int().min(1).nullable(),
    }),
  ),
});
export type ReadConfig = z.infer<typeof readConfigSchema>;

// ── The live stream of a run: server-sent events, `event:` is the kind, `data:` the JSON of the whole message

export const liveMessageSchema = z.discriminatedUnion('kind', [
  /** First of all, and whenever the run's view has changed. */
  z.strictObject({ kind: z.literal('details'), details: runDetailsSchema }),
  /** All that is being done now; replaces what was said before. */
  z.strictObject({ kind: z.literal('progress'), progress: z.array(liveProgressSchema) }),
  /** The run is over; nothing follows, and the server closes the stream. */
  z.strictObject({ kind: z.literal('receipt'), receipt: receiptSchema.nullable() }),
  /** Temporal or the workers are away; the stream stays open. Null: they are back. */
  z.strictObject({ kind: z.literal('trouble'), trouble: z.string().nullable() }),
]);
export type LiveMessage = z.infer<typeof liveMessageSchema>;

// ── Files of a run: on its host while it lives there, in the store once it is published

export const logPageSchema = z.strictObject({
  source: fileSourceSchema,
  ...logLinesSchema.shape,
  /** False: a live run, more may come. */
  complete: z.boolean(),
});
export type LogPage = z.infer<typeof logPageSchema>;

export const folderEntrySchema = z.strictObject({
  name: z.string(),
  /** Path inside the run's output, for `file` and `files`. */
  path: z.string(),
  kind: z.enum(['folder', 'file']),
  /** Bytes; of a folder, of all below it. */
  size: z.int().min(0),
  /** By its ending: `image/png`; null for a folder. */
  mediaType: z.string().nullable(),
});
export type FolderEntry = z.infer<typeof folderEntrySchema>;

export const folderListingSchema = z.strictObject({
  source: fileSourceSchema,
  folder: z.string(),
  entries: z.array(folderEntrySchema),
  /** False: a folder with more than 5,000 files, not all are here. */
  all: z.boolean(),
});
export type FolderListing = z.infer<typeof folderListingSchema>;

export const runCheckpointSchema = z.strictObject({
  ...ledgerEntrySchema.shape,
  /** Where it can be downloaded from now; null: nowhere at the moment. */
  source: fileSourceSchema.nullable(),
  /** `path` for the route `file`, in the order of `files`. */
  paths: z.array(z.string()),
});
export type RunCheckpoint = z.infer<typeof runCheckpointSchema>;

/** Rows of metrics.jsonl as columns; `null` where an epoch did not report the metric. */
export const metricColumnsSchema = z.strictObject({
  source: fileSourceSchema,
  /** Epochs in the file. */
  total: z.int().min(0),
  epoch: z.array(z.int()),
  /** Milliseconds since 1970. */
  at: z.array(z.int()),
  seconds: z.array(z.number()),
  batches: z.array(z.int()),
  metrics: z.record(z.string(), z.array(z.number().nullable())),
  /** False: there are more than 500 names, not all are here. */
  all: z.boolean(),
});
export type MetricColumns = z.infer<typeof metricColumnsSchema>;

// ── Hosts

/** A host that was asked and did not answer. */
export const silentHostSchema = z.strictObject({ host: z.string(), problem: z.string() });

export const hostSchema = z.strictObject({
  ...workerSeenSchema.shape,
  /** Null when it does not answer; `problem` says so. */
  status: hostStatusSchema.nullable(),
  problem: z.string().nullable(),
});
export type HostAnswer = z.infer<typeof hostSchema>;

// ── Routes

interface RouteDefinition {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With `:name` for each of `params`. */
  path: `/api/${string}`;
  tag: 'server' | 'runs' | 'configuration' | 'files' | 'hosts' | 'data sets';
  summary: string;
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
  /** JSON with this schema, or what else it is. */
  answer: z.ZodType | 'events' | 'bytes';
  /** 200 unless given. */
  status?: 201;
  /** Open without a token. */
  open?: true;
}

const runParams = z.strictObject({ run: name });
/** Files are there of every life of a run: of its present one, or of `<run>@<8 digits>`. */
const filesParams = z.strictObject({ run: placeName });
const hostRunParams = z.strictObject({ host: name, run: placeName });
const dataSetParams = z.strictObject({
  host: name,
  dataSet: z.string().regex(/^[0-9a-f]{16}$/, 'must be 16 hexadecimal digits'),
});
/** Left out: the pool that the server's settings call its default. */
const poolQuery = z.strictObject({ pool: name.optional() });
const emptyBody = z.strictObject({}).default({});
const listOfRuns = z
  .string()
  .min(1)
  .max(12_000)
  .regex(/^[A-Za-z0-9._,-]+$/, 'must be run ids with commas between them');

export const routes = {
  alive: {
    method: 'GET',
    path: '/api/alive',
    tag: 'server',
    summary: 'Whether this server answers',
    answer: z.strictObject({ ok: z.literal(true) }),
    open: true,
  },
  access: {
    method: 'GET',
    path: '/api/access',
    tag: 'server',
    summary: 'Whether a token is needed, and was given',
    answer: accessSchema,
    open: true,
  },
  /** Gives the browser a cookie for what cannot send a header (pictures, event streams). */
  enter: {
    method: 'POST',
    path: '/api/access',
    tag: 'server',
    summary: 'Give the token, or a code that signs in once, for a cookie',
    body: z
      .strictObject({ token: z.string().min(1).max(1000).optional(), code: z.string().min(1).max(100).optional() })
      .refine(({ token, code }) => (token === undefined) !== (code === undefined), {
        path: ['token'],
        message: 'is needed, or code, and not both',
      }),
    answer: accessSchema,
    open: true,
  },
  leave: {
    method: 'DELETE',
    path: '/api/access',
    tag: 'server',
    summary: 'End the login session',
    answer: accessSchema,
    open: true,
  },
  health: {
    method: 'GET',
    path: '/api/health',
    tag: 'server',
    summary: 'Whether Temporal and workers are there',
    answer: healthSchema,
  },
  settings: {
    method: 'GET',
    path: '/api/settings',
    tag: 'server',
    summary: 'Version, addresses, schema of a configuration',
    answer: settingsSchema,
  },
  chart: {
    method: 'GET',
    path: '/api/chart',
    tag: 'server',
    summary: 'The chart of a run, as nodes and edges',
    answer: chartGraphSchema,
  },

  runs: {
    method: 'GET',
    path: '/api/runs',
    tag: 'runs',
    summary: 'Runs, a page at a time',
    query: runsQuerySchema,
    answer: runsPageSchema,
  },
  start: {
    method: 'POST',
    path: '/api/runs',
    tag: 'runs',
    summary: 'Start a run, or make a draft',
    body: z.strictObject({ config: configInputSchema, draft: z.boolean().default(false) }),
    answer: startedSchema,
    status: 201,
  },
  progress: {
    method: 'GET',
    path: '/api/progress',
    tag: 'runs',
    summary: 'What up to 200 runs are doing now',
    query: z.strictObject({ runs: listOfRuns }),
    answer: runsProgressSchema,
  },
  run: {
    method: 'GET',
    path: '/api/runs/:run',
    tag: 'runs',
    summary: 'A run',
    params: runParams,
    answer: runDetailsSchema,
  },
  /** Of one that is over also what it does not remember itself: that is in `events.jsonl` in its output folder. */
  events: {
    method: 'GET',
    path: '/api/runs/:run/events',
    tag: 'runs',
    summary: 'What happened in a run, or in one of its lives, oldest first',
    params: filesParams,
    answer: z.array(runEventSchema),
  },
  live: {
    method: 'GET',
    path: '/api/runs/:run/live',
    tag: 'runs',
    summary: 'A run, live, as server-sent events',
    params: runParams,
    answer: 'events',
  },
  configure: {
    method: 'POST',
    path: '/api/runs/:run/configure',
    tag: 'runs',
    summary: 'Merge fields into a draft; null removes one',
    params: runParams,
    body: configureSchema,
    answer: runViewSchema,
  },
  train: {
    method: 'POST',
    path: '/api/runs/:run/train',
    tag: 'runs',
    summary: 'Train a draft',
    params: runParams,
    body: emptyBody,
    answer: runViewSchema,
  },
  stop: {
    method: 'POST',
    path: '/api/runs/:run/stop',
    tag: 'runs',
    summary: 'Stop: at the batch boundary, after the epoch, or now',
    params: runParams,
    body: z.strictObject({ mode: stopModeSchema.default('batch') }).prefault({}),
    answer: runViewSchema,
  },
  pause: {
    method: 'POST',
    path: '/api/runs/:run/pause',
    tag: 'runs',
    summary: 'Checkpoint and give the GPU back',
    params: runParams,
    body: emptyBody,
    answer: runViewSchema,
  },
  resume: {
    method: 'POST',
    path: '/api/runs/:run/resume',
    tag: 'runs',
    summary: 'Go on after a pause',
    params: runParams,
    body: emptyBody,
    answer: runViewSchema,
  },

  check: {
    method: 'POST',
    path: '/api/check',
    tag: 'configuration',
    summary: 'Check a configuration on a worker; nothing starts',
    body: z.strictObject({ config: configInputSchema }),
    answer: checkedConfigSchema,
  },
  readConfig: {
    method: 'POST',
    path: '/api/config/read',
    tag: 'configuration',
    summary: 'YAML to fields',
    body: z.strictObject({ yaml: z.string().max(200_000) }),
    answer: readConfigSchema,
  },
  writeConfig: {
    method: 'POST',
    path: '/api/config/write',
    tag: 'configuration',
    summary: 'Fields to YAML and a command',
    body: z.strictObject({ config: configInputSchema }),
    answer: writtenConfigSchema,
  },
  /** With `checkpoint`, the clone continues from it: with its progress, or as a new training from its weights. */
  clone: {
    method: 'GET',
    path: '/api/runs/:run/clone',
    tag: 'configuration',
    summary: 'A configuration for a new run like this one',
    params: runParams,
    query: z.strictObject({ checkpoint: name.optional(), keepProgress: z.enum(['true', 'false']).default('true') }),
    answer: writtenConfigSchema,
  },
  trainers: {
    method: 'GET',
    path: '/api/trainers',
    tag: 'configuration',
    summary: 'Trainers of a pool, with the schemas of their parameters',
    query: poolQuery,
    answer: trainerListSchema,
  },

  /** `offset` reads forward from a byte; without it the last `lines` lines. `search` leaves only lines that contain it. */
  log: {
    method: 'GET',
    path: '/api/runs/:run/log',
    tag: 'files',
    summary: "The trainer's log",
    params: filesParams,
    query: z.strictObject({
      offset: z.coerce.number().int().min(0).optional(),
      lines: z.coerce.number().int().min(1).max(2000).default(500),
      search: z.string().max(200).optional(),
    }),
    answer: logPageSchema,
  },
  checkpoints: {
    method: 'GET',
    path: '/api/runs/:run/checkpoints',
    tag: 'files',
    summary: 'Checkpoints that the run keeps',
    params: runParams,
    answer: z.array(runCheckpointSchema),
  },
  files: {
    method: 'GET',
    path: '/api/runs/:run/files',
    tag: 'files',
    summary: 'A folder of the run; without `folder` its root',
    params: filesParams,
    query: z.strictObject({ folder: relativePath.optional() }),
    answer: folderListingSchema,
  },
  /** Answers ranges. Shown in the page where it is a picture or text, unless `download=true`. */
  file: {
    method: 'GET',
    path: '/api/runs/:run/file',
    tag: 'files',
    summary: 'A file of the run',
    params: filesParams,
    query: z.strictObject({ path: relativePath, download: z.enum(['true', 'false']).default('false') }),
    answer: 'bytes',
  },
  metrics: {
    method: 'GET',
    path: '/api/runs/:run/metrics',
    tag: 'files',
    summary: 'Metrics of every epoch, thinned out to `points`',
    params: filesParams,
    query: z.strictObject({
      points: z.coerce.number().int().min(2).max(100_000).default(100_000),
      /** Only epochs after this one: for what came since the last request. */
      after: z.coerce.number().int().min(0).default(0),
    }),
    answer: metricColumnsSchema,
  },

  hosts: {
    method: 'GET',
    path: '/api/hosts',
    tag: 'hosts',
    summary: 'Hosts, their slots and GPUs, what runs where',
    answer: z.array(hostSchema),
  },
  keptFolders: {
    method: 'GET',
    path: '/api/kept-folders',
    tag: 'hosts',
    summary: 'Run folders that hosts still have',
    /** Hosts that are neither in `asked` nor in `silent` are not known to the server: nobody has asked them. */
    answer: z.strictObject({
      folders: z.array(keptFolderSchema),
      asked: z.array(z.string()),
      silent: z.array(silentHostSchema),
    }),
  },
  removeKept: {
    method: 'DELETE',
    path: '/api/hosts/:host/kept-folders/:run',
    tag: 'hosts',
    summary: 'Remove a run folder; one in use is refused',
    params: hostRunParams,
    answer: z.strictObject({ removed: z.literal(true) }),
  },
  publishKept: {
    method: 'POST',
    path: '/api/hosts/:host/kept-folders/:run/publish',
    tag: 'hosts',
    summary: 'Publish a kept run folder to its store now',
    params: hostRunParams,
    body: emptyBody,
    /** The workflow that publishes it: its progress is in the Temporal UI. */
    answer: z.strictObject({ salvage: z.string() }),
  },

  dataSets: {
    method: 'GET',
    path: '/api/data-sets',
    tag: 'data sets',
    summary: 'Data sets that the workers of a pool offer',
    query: poolQuery,
    answer: z.strictObject({
      dataSets: z.array(dataSetSummarySchema),
      asked: z.array(z.string()),
      silent: z.array(silentHostSchema),
    }),
  },
  dataSet: {
    method: 'GET',
    path: '/api/hosts/:host/data-sets/:dataSet',
    tag: 'data sets',
    summary: 'Classes, splits and problems of a data set',
    params: dataSetParams,
    answer: dataSetDetailsSchema,
  },
  dataSetItems: {
    method: 'GET',
    path: '/api/hosts/:host/data-sets/:dataSet/items',
    tag: 'data sets',
    summary: 'Pictures of a data set with their boxes and masks',
    params: dataSetParams,
    query: z.strictObject({
      split: z.string().min(1).max(200).optional(),
      class: z.string().min(1).max(200).optional(),
      offset: z.coerce.number().int().min(0).default(0),
      limit: z.coerce.number().int().min(1).max(50).default(12),
    }),
    answer: dataSetItemsSchema,
  },
  dataSetImage: {
    method: 'GET',
    path: '/api/hosts/:host/data-sets/:dataSet/image',
    tag: 'data sets',
    summary: 'A picture of a data set',
    params: dataSetParams,
    query: z.strictObject({ item: relativePath }),
    answer: 'bytes',
  },
} as const satisfies Record<string, RouteDefinition>;

export type Routes = typeof routes;
export type RouteName = keyof Routes;

type Part<N extends RouteName, P extends 'params' | 'query' | 'body'> =
  Routes[N] extends Record<P, infer S extends z.ZodType> ? S : never;
type InputOf<S> = [S] extends [never] ? undefined : S extends z.ZodType ? z.input<S> : undefined;

/** What a caller gives. */
export type ParamsOf<N extends RouteName> = InputOf<Part<N, 'params'>>;
export type QueryOf<N extends RouteName> = InputOf<Part<N, 'query'>>;
export type BodyOf<N extends RouteName> = InputOf<Part<N, 'body'>>;
/** What a route with a JSON answer answers. */
export type Answer<N extends RouteName> = Routes[N]['answer'] extends infer S extends z.ZodType ? z.output<S> : never;

/** Metrics of a row on a screen, for whoever draws it. */
export type ShownMetrics = z.infer<typeof metricsSchema>;

/** `addressOf('run', {run: 'a'})` is `/api/runs/a`; parts of the query that are undefined are left out. */
export function addressOf<N extends RouteName>(route: N, params: ParamsOf<N>, query?: Partial<QueryValues<N>>): string {
  const given: Readonly<Record<string, string>> = params ?? {};
  const path = routes[route].path.replace(/:([A-Za-z]+)/g, (_, part: string) => encodeURIComponent(given[part] ?? ''));
  const pairs = Object.entries(query ?? {}).filter((pair): pair is [string, string | number] => pair[1] !== undefined);
  const text = pairs.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join('&');
  return text ? `${path}?${text}` : path;
}
type QueryValues<N extends RouteName> = { [K in keyof QueryOf<N>]: string | number | undefined };

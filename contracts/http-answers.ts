/** What the HTTP API answers, and the refusals of all of its routes. */
import { z } from 'zod';
import { ledgerEntrySchema } from './checkpoint.ts';
import { configProblemSchema } from './failure.ts';
import { hostStatusSchema } from './host-messages.ts';
import { name } from './names.ts';
import { progressSchema, workProgressSchema } from './progress.ts';
import { outcomeSchema, receiptSchema, runStateSchema } from './receipt.ts';
import { fileSourceSchema, logLinesSchema } from './run-files.ts';
import { runViewSchema } from './run-messages.ts';
import { longestSearch } from './run-search.ts';
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
  /** While nobody serves the workflows of runs, so that every run waits: a sentence that says why, and what to do. */
  unserved: z.string().nullable(),
  /** Workers that asked for work within the last minute or so; empty: no workers online. */
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

/** Besides any field of a search, with `-` before it for the largest first. */
export const namedOrders = {
  oldest: 'created',
  bestMetric: 'best',
  '-bestMetric': '-best',
  closedAt: 'ended',
  '-closedAt': '-ended',
} as const;
export const runSortSchema = z
  .string()
  .max(210)
  .regex(/^-?[^\s-]/, 'must be a field, with "-" before it for the largest first');

/** Columns that one answer may have. */
export const mostColumns = 40;
/**
 * `recent` is Temporal's own order (open runs first, then by when they closed, newest first) and pages without a limit.
 * A search, and any other order, is of the newest 50,000 runs; `sortedAll` is false when there are more, or when they tell more than the index takes.
 */
export const runsQuerySchema = z.strictObject({
  state: runStateSchema.optional(),
  outcome: outcomeSchema.optional(),
  trainer: name.optional(),
  project: name.optional(),
  /** Runs whose id begins with this. */
  text: z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9._-]*$/, 'must consist of letters, digits, ".", "_" and "-"')
    .optional(),
  /** Words and comparisons, as `epochal ls` takes them. */
  search: z.string().max(longestSearch).optional(),
  /** Fields whose values are told with each run: at most 40, with commas between them. */
  columns: z.string().max(4_000).optional(),
  /** `recent`, `oldest`, `bestMetric`, `closedAt`, or any field; with `-` before it the largest first. */
  sort: runSortSchema.default('recent'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  /** `next` of the page before. */
  cursor: z.string().min(1).max(4096).optional(),
});

export const fieldValuesSchema = z.record(z.string(), z.union([z.string(), z.number()]));

export const runsPageSchema = z.strictObject({
  runs: z.array(runSummarySchema),
  next: z.string().nullable(),
  /** How many match in all; null where Temporal does not say. */
  total: z.int().min(0).nullable(),
  sortedAll: z.boolean(),
  /** By run and column; what a run has no value of is left out. */
  values: z.record(z.string(), fieldValuesSchema),
  /** Runs whose parameters and metrics are not known yet, so that searching and sorting leave them out. */
  pending: z.int().min(0),
});
export type RunsPage = z.infer<typeof runsPageSchema>;

/** Fields of which some run has a value, those of most runs first. */
export const runFieldsSchema = z.array(z.strictObject({ field: z.string(), runs: z.int().min(1) }));

/** What is being done now: batches of an epoch, or set-up, storing, publishing. */
export const liveProgressSchema = z.union([
  z.strictObject({ kind: z.literal('training'), ...progressSchema.omit({ watchedUntil: true }).shape }),
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
export const configInputSchema = z.record(z.string(), z.unknown());

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

/** Rows of batches.jsonl as columns; `null` where a batch did not log the metric. */
export const batchColumnsSchema = z.strictObject({
  source: fileSourceSchema,
  /** 1-based; `batch` of `batches` in it, where the trainer knows. */
  epoch: z.array(z.int()),
  batch: z.array(z.int()),
  batches: z.array(z.int().nullable()),
  /** Milliseconds since 1970. */
  at: z.array(z.int()),
  metrics: z.record(z.string(), z.array(z.number().nullable())),
  /** False: there are more than 500 names, not all are here. */
  all: z.boolean(),
});
export type BatchColumns = z.infer<typeof batchColumnsSchema>;

const amounts = z.array(z.number().nullable());

/** Rows of system.jsonl as columns; what each means is told there (`systemRowSchema`). */
export const systemColumnsSchema = z.strictObject({
  source: fileSourceSchema,
  /** Milliseconds since 1970: the end of what was measured for `seconds`. */
  at: z.array(z.int()),
  seconds: z.array(z.number()),
  cpu: amounts,
  memoryBytes: amounts,
  readBytes: amounts,
  writtenBytes: amounts,
  receivedBytes: amounts,
  sentBytes: amounts,
  gpus: z.array(
    z.strictObject({ index: z.int(), use: amounts, memoryBytes: amounts, watts: amounts, celsius: amounts }),
  ),
});
export type SystemColumns = z.infer<typeof systemColumnsSchema>;

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

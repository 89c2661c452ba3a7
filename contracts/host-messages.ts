/** Questions that a client asks workers directly, as standalone activities on the pool's or the host's control queue. */
import { z } from 'zod';
import { dataReportSchema } from './data-report.ts';
import { configProblemSchema } from './failure.ts';
import { placeName } from './names.ts';
import { observedBySchema } from './observed-events.ts';
import { bestSchema, storedRunConfigSchema } from './run-config.ts';
import { extensible, tolerant } from './tolerance.ts';
import { trainerManifestSchema } from './trainer-manifest.ts';

/** What a data set holds: told to a client; never to a run, whose history would keep it for good. */
const dataReport = dataReportSchema.optional();

/** `checkConfig(config, null, options)` on `poolControlQueue(pool)`: a whole check before anything starts. */
export const checkedConfigSchema = z.discriminatedUnion('ok', [
  extensible({
    ok: z.literal(true),
    /** With the trainer's parameter defaults filled in. */
    config: storedRunConfigSchema,
    best: tolerant(bestSchema),
    canShrinkBatch: z.boolean(),
    outputFolder: z.string(),
    /** Where the run has its files; only told to a run, which has claimed it. */
    place: placeName.optional(),
    /** Whom the pool tells of the run's events. Workers of old do not tell. */
    observers: z.array(observedBySchema).max(50).optional(),
    /** What keeps nobody from training, but should be known; only told to a client. */
    notes: z.array(z.string()).optional(),
    dataReport,
  }),
  extensible({ ok: z.literal(false), problems: z.array(configProblemSchema).min(1), dataReport }),
]);
export type CheckedConfig = z.infer<typeof checkedConfigSchema>;

/** How a client wants it checked. `deep`: every image is decoded and compared, however long that takes. */
export const checkOptionsSchema = z.object({ deep: z.boolean().default(false) });
export type CheckQuestion = z.input<typeof checkOptionsSchema>;

/** `listTrainers()` on `poolControlQueue(pool)`. */
export const trainerListSchema = z.array(
  z.discriminatedUnion('ok', [
    extensible({ ok: z.literal(true), manifest: trainerManifestSchema }),
    extensible({ ok: z.literal(false), name: z.string(), problem: z.string() }),
  ]),
);
export type TrainerList = z.infer<typeof trainerListSchema>;

/**
 * Of what workflows and hosts say to each other. It changes by addition, so that this number rises only where one of them would take the
 * other wrong.
 */
export const contractVersion = 1;

/** What a host is, by itself: it polls without a version. */
export const softwareSchema = extensible({
  /** Of Epochal. */
  version: z.string(),
  contract: z.int().min(1),
  /** Versions of the trainer protocol that it speaks. */
  protocol: extensible({ from: z.int().min(1), to: z.int().min(1) }),
  /** The activities that it can be asked for. */
  can: z.array(z.string()),
});

/** `listHosts()`: who serves a pool is told by Temporal's task queue pollers; this is one host's own answer. */
export const hostStatusSchema = extensible({
  host: z.string(),
  pool: z.string(),
  slots: extensible({ total: z.int().min(0), taken: z.array(z.string()) }),
  devices: z.array(extensible({ name: z.string(), memoryBytes: z.int().nullable(), usedBytes: z.int().nullable() })),
  freeDiskBytes: z.int().min(0),
  dataFolder: z.string(),
  /** Hosts of old do not tell. */
  software: softwareSchema.optional(),
});
export type HostStatus = z.infer<typeof hostStatusSchema>;

/** A run folder that is still on a host, as `listData()` on `hostControlQueue(host)` tells it. */
export const keptFolderSchema = extensible({
  /** The run id, or `<run>@<8 digits>` for another life of it. */
  run: z.string(),
  host: z.string(),
  path: z.string(),
  bytes: z.int().min(0),
  modifiedAt: z.iso.datetime(),
  /**
   * `live` has a trainer or a run that goes on; `kept` was left for a person after an error; `left` is of a run that is over,
   * and nobody kept it: its host was not there when the run ended; `unknown` is of a run in another namespace, which a worker of
   * that namespace has to look after.
   */
  state: z.enum(['live', 'kept', 'left', 'unknown']),
  why: z.string(),
  /** Whether everything in it was verified in the store, and its checkpoints are in the receipt. */
  stored: z.boolean(),
});
export type KeptFolder = z.infer<typeof keptFolderSchema>;

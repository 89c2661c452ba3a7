/** Checkpoints: what lies on a disk (`checkpoint.json`) and what the run remembers of it (the ledger). */
import { z } from 'zod';
import { instant, name, relativePath, sha256 } from './names.ts';
import { extensible, openEnum } from './tolerance.ts';

/** Metric values as a trainer reports them. JSON has no NaN: a non-finite value is reported as `failed {kind: nan}`. */
export const metricsSchema = z.record(z.string().min(1).max(200), z.number());
export type Metrics = z.infer<typeof metricsSchema>;

/**
 * A point in a training, always at a batch boundary: `epoch` epochs are complete, and `batch` batches of the
 * epoch after them are trained. A batch is a step of the optimizer, of the whole training: however many processes share it, and in however
 * many parts it is computed. (3, 0) is the end of the third epoch; (3, 20) is 20 batches into the fourth.
 */
export const positionSchema = extensible({ epoch: z.int().min(0), batch: z.int().min(0) });
export type Position = z.infer<typeof positionSchema>;

export const isBefore = (a: Position, b: Position): boolean =>
  a.epoch !== b.epoch ? a.epoch < b.epoch : a.batch < b.batch;

export const checkpointFileSchema = extensible({
  /** Path inside the checkpoint's folder. */
  path: relativePath,
  size: z.int().min(0),
  sha256,
});
export type CheckpointFile = z.infer<typeof checkpointFileSchema>;

/**
 * `checkpoint.json` in a checkpoint's folder. The folder `checkpoints/<name>` appears whole, by a rename, or not
 * at all; a file whose size or sha256 differs from the manifest makes the whole checkpoint unusable.
 */
export const checkpointManifestSchema = extensible({
  name,
  ...positionSchema.shape,
  /** Metrics of the last complete epoch; empty within the first epoch. */
  metrics: metricsSchema,
  files: z.array(checkpointFileSchema).max(200),
  createdAt: instant,
  /** Session that wrote it: a checkpoint that the ledger does not know is only trusted from the run's last session. */
  session: z.string(),
  /** Of that session. Manifests of old have none. */
  generation: z.int().min(1).optional(),
  /** The run that trained it, where another one that continues that run has brought it along. */
  from: z.string().optional(),
});
export type CheckpointManifest = z.infer<typeof checkpointManifestSchema>;

/** The best epoch of a run. `from`: the run that trained it, where it was brought along by one that continues that run. */
export const bestEpochSchema = extensible({
  metric: z.string(),
  value: z.number(),
  epoch: z.int(),
  from: z.string().optional(),
});

/** Whether metrics `a` are better than `b`; equal is not better, so the earliest of equals stays best. */
export function isBetter(best: { metric: string; mode: 'min' | 'max' }, a: Metrics, b: Metrics | null): boolean {
  const value = a[best.metric];
  if (value === undefined) return false;
  const other = b?.[best.metric];
  if (other === undefined) return true;
  return best.mode === 'max' ? value > other : value < other;
}

/** Why the ledger keeps a checkpoint. `fallback`: until the newest one, which it would be dropped for, is stored. */
export const keepReasonSchema = openEnum(['best', 'last', 'every', 'resume', 'fallback']);
export type KeepReason = z.infer<typeof keepReasonSchema>;

/** A checkpoint that the run keeps. */
export const ledgerEntrySchema = extensible({
  ...checkpointManifestSchema.shape,
  host: z.string(),
  /** Whether its copy in the store was verified by size and sha256. */
  stored: z.boolean(),
  reasons: z.array(keepReasonSchema),
});
export type LedgerEntry = z.infer<typeof ledgerEntrySchema>;

/** Whether it is kept only until the newest one is stored. */
export const isFallback = ({ reasons }: Pick<LedgerEntry, 'reasons'>): boolean =>
  reasons.length === 1 && reasons[0] === 'fallback';

/**
 * What a receipt has beside what a run came to: whose it is, what the run was made of and which sessions trained it, each by a digest
 * or an id, so that a receipt can be signed. What nobody knows is null, or left out, as in receipts of old.
 */
import { z } from 'zod';
import { positionSchema } from './checkpoint.ts';
import { failureSchema } from './failure.ts';
import { lifeSchema } from './life.ts';
import { sha256 } from './names.ts';
import { sessionSchema } from './session.ts';
import { systemPeaksSchema } from './system-metrics.ts';
import { extensible, openEnum } from './tolerance.ts';

/** What a session trained with, as its host found it when it began. */
export const materialsSchema = extensible({
  /** Of the trainer's files: of lines as `sha256sum` writes them. */
  trainer: sha256.nullable(),
  /** Of its `requirements.lock`. Without one, nobody decided what is installed. */
  environment: sha256.nullable(),
  /** Of the Python SDK's files, as for the trainer. */
  sdk: sha256.nullable(),
  /** Of the published `config.yaml`. */
  config: sha256.nullable(),
  /** Which images of the data set were trained on, and which validated: `data.splitSha256`. */
  data: sha256.nullable(),
  /** The commit that its program is tracked at; `branch` is null where none is checked out, `isDirty` where git did not tell. */
  code: extensible({
    commit: z.string().max(64),
    branch: z.string().max(250).nullable(),
    isDirty: z.boolean().nullable(),
    /**
     * Of `code.diff`: the changes to that commit. Truncated: some are missing for want of room; `withheld`: of so many files, which may hold secrets,
     * and submodules nothing is told. Null where there are no changes, or they were not recorded.
     */
    diff: extensible({ sha256, isTruncated: z.boolean(), withheld: z.int().min(0) })
      .nullable()
      .optional(),
  })
    .nullable()
    .optional(),
  /** Of its program. */
  entry: sha256.nullable().optional(),
  /** Of `packages.txt`: the Python packages that were installed, a line for each. */
  packages: sha256.nullable().optional(),
  /** Id of the image that its container was made of, as the engine of its host has it; null: it ran in none. */
  image: z.string().max(200).nullable().optional(),
  /** Version of the GPU driver. */
  driver: z.string().max(100).nullable().optional(),
  /** The checkpoint of another run that this one continued: `life` by its first execution, `sha256` of its `checkpoint.json`. */
  from: extensible({ run: z.string(), life: z.string().nullable(), checkpoint: z.string(), sha256 }).nullable(),
});
export type Materials = z.infer<typeof materialsSchema>;

/**
 * Those of a later session. Only what the run began with is carried: the host that fetched it may be gone. What the later one does not
 * know of its own trainer or environment, nobody knows.
 */
export const mergeMaterials = (newer: Materials, older: Materials | null | undefined): Materials => ({
  ...newer,
  from: newer.from ?? older?.from ?? null,
});

/** A session as the receipt tells of it. */
export const sessionRecordSchema = extensible({
  id: sessionSchema.shape.id,
  generation: sessionSchema.shape.generation,
  host: z.string(),
  startedAt: z.iso.datetime(),
  resumedFrom: positionSchema.nullable(),
  /** Null: nobody saw it end. */
  ended: extensible({
    how: openEnum(['finished', 'stopped', 'preempted', 'failed']),
    failure: failureSchema.shape.kind.nullable(),
  }).nullable(),
});
export type SessionRecord = z.infer<typeof sessionRecordSchema>;

/** `checksum`: the provider's own, over all bytes that it took; `readBack`: every byte was read again, and hashed. */
export const copyProofs = ['checksum', 'readBack'] as const;
export type CopyProof = (typeof copyProofs)[number];

export const receiptFactsSchema = extensible({
  life: lifeSchema.optional(),
  /** Of the store that it is in; null where that has lost its mark. */
  storeIdentity: z.string().nullable().optional(),
  materials: materialsSchema.optional(),
  /** What its sessions took of their hosts, at most, as `system.jsonl` has it; left out where nobody measured. */
  system: systemPeaksSchema.optional(),
  /** Of `files.jsonl`, or of what would be in it where the receipt names all files: a line for each, as it was published. */
  filesSha256: sha256.optional(),
  /** Of the published files, those of checkpoints too: how many were proved to be in the store by what. */
  proofs: extensible({ checksum: z.int().min(0), readBack: z.int().min(0) }).optional(),
});
export type ReceiptFacts = z.infer<typeof receiptFactsSchema>;

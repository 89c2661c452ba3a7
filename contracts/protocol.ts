/**
 * The trainer protocol: JSON lines on a Unix socket on which the trainer listens. Workers connect, one at a time, and the newest
 * wins: commands go to the trainer, events come from it; its stdout and stderr are its log. A trainer whose worker has gone trains on
 * through its grant. Where no other one has come for `reattachSeconds`, it checkpoints at its batch boundary and ends.
 */
import { z } from 'zod';
import { checkpointManifestSchema, metricsSchema, positionSchema } from './checkpoint.ts';
import { extensible, openEnum, openUnion } from './tolerance.ts';

export const protocolVersion = 1;

export const commandSchema = z.discriminatedUnion('type', [
  /** May train through the end of epoch `through` (1-based), and waits for the next grant there. */
  extensible({ type: z.literal('grant'), through: z.int().min(1) }),
  /** Checkpoint and end: at the next batch boundary, in training or validation, or at the end of the epoch under way. */
  extensible({ type: z.literal('stop'), mode: z.enum(['batch', 'epoch']) }),
  /** Write a checkpoint at the next batch boundary and go on. */
  extensible({ type: z.literal('checkpoint') }),
  /** No epoch follows: finish what comes after training and end. */
  extensible({ type: z.literal('shutdown') }),
  /** Every event up to this `seq` was heard. Anything later is sent again, once, to the next worker that connects. */
  extensible({ type: z.literal('received'), through: z.int().min(1) }),
]);
export type Command = z.infer<typeof commandSchema>;

export const phaseSchema = openEnum(['setUp', 'train', 'validate', 'save', 'finish']);
export type Phase = z.infer<typeof phaseSchema>;

export const epochResultSchema = extensible({
  /** 1-based number of the epoch that is now complete. */
  epoch: z.int().min(1),
  /** Training batches in it. */
  batches: z.int().min(0),
  /** Wall time of training and validating it, without waiting for a grant; summed over interruptions. */
  seconds: z.number().min(0),
  /** Of these, those of validating. Epochs of old do not tell. */
  validationSeconds: z.number().min(0).optional(),
  /** For how long saving held up the training since the epoch before; not among `seconds`. */
  savingSeconds: z.number().min(0).optional(),
  metrics: metricsSchema,
  at: z.iso.datetime(),
});
export type EpochResult = z.infer<typeof epochResultSchema>;

/** A trainer's own decision to train no further: after `epoch` complete epochs, fewer than were planned. */
export const earlyEndSchema = extensible({ epoch: z.int().min(0), reason: z.string().min(1).max(500) });
export type EarlyEnd = z.infer<typeof earlyEndSchema>;

export const eventSchema = openUnion('type', [
  extensible({
    type: z.literal('hello'),
    protocol: z.literal(protocolVersion),
    trainer: z.string(),
    pid: z.int(),
    versions: z.record(z.string(), z.string()),
    devices: z.array(extensible({ name: z.string(), memoryBytes: z.int().optional() })),
  }),
  /** Set-up is done. `resumedFrom` is null when it starts from scratch. */
  extensible({ type: z.literal('ready'), resumedFrom: positionSchema.nullable() }),
  /** Before `ready`: how far it is with something that takes long. It still moves, so `setUpSeconds` begins again. */
  extensible({
    type: z.literal('setUpProgress'),
    doing: z.string().min(1).max(200),
    done: z.int().min(0),
    total: z.int().min(1),
  }),
  extensible({ type: z.literal('phase'), phase: phaseSchema, epoch: z.int().min(1) }),
  /** `batch` batches of `batches` are done in this phase of epoch `epoch` (1-based). */
  extensible({
    type: z.literal('batch'),
    phase: z.enum(['train', 'validate']),
    epoch: z.int().min(1),
    batch: z.int().min(0),
    batches: z.int().min(1).nullable(),
    metrics: metricsSchema,
  }),
  /** The epoch is complete and its checkpoint is whole on the disk. Batches of the next epoch may have been told before. */
  extensible({ type: z.literal('epoch'), ...epochResultSchema.shape }),
  /** A checkpoint is whole on the disk. */
  extensible({ type: z.literal('checkpoint'), checkpoint: checkpointManifestSchema }),
  /** The trainer knows of a command; `stop` is then obeyed at the next batch boundary. */
  extensible({ type: z.literal('acknowledged'), command: openEnum(['grant', 'stop', 'checkpoint', 'shutdown']) }),
  /** A line for the people watching: something was changed or switched off. */
  extensible({ type: z.literal('note'), message: z.string().max(4000) }),
  /**
   * The trainer itself has decided that no epoch follows, with `epoch` of them complete; what follows the last one is
   * still to come. Never told of an end that was asked for.
   */
  extensible({ type: z.literal('endedEarly'), ...earlyEndSchema.shape }),
  /** It has ended by itself, with this much trained. */
  extensible({
    type: z.literal('stopped'),
    ...positionSchema.shape,
    /** Batches begun after a stop was known. */
    batchesAfterStop: z.int().min(0),
    /** All epochs are trained, or it ended early by its own decision, and what follows the last one was done. */
    finished: z.boolean(),
    /** It ended because no worker had come. Trainers of old do not tell. */
    unattended: z.boolean().optional(),
  }),
  extensible({
    type: z.literal('failed'),
    kind: openEnum(['outOfMemory', 'nan', 'data', 'gpuMissing', 'setUp', 'trainerError']),
    message: z.string().max(4000),
    traceback: z.string().max(16_000),
  }),
]);
export type TrainerEvent = z.infer<typeof eventSchema>;

/** What a line has besides its event: its number, rising by one, for what must not be lost; `batch` and `acknowledged` have none. */
export const numberedSchema = z.looseObject({ seq: z.int().min(1).optional() });

/**
 * `session.json` in the run folder, written by the worker before it starts the trainer. Its path is in the
 * environment variable EPOCHAL_SESSION.
 */
export const sessionFileSchema = extensible({
  protocol: z.literal(protocolVersion),
  run: z.string(),
  session: z.string(),
  /** Of that session: manifests of checkpoints have both. Left out: a run by hand, or one of old. */
  generation: z.int().min(1).optional(),
  /** Absolute; the trainer writes `checkpoints/`, `artifacts/` and `metrics.jsonl` in it, and locks `lock`. */
  runFolder: z.string(),
  epochs: z.int().min(1),
  /** A session before has ended early: no epoch follows this many, and what follows the last one is to be done. */
  endsAfter: z.int().min(0).nullable(),
  /** As checked by the trainer. */
  parameters: z.record(z.string(), z.json()),
  data: z.string().nullable(),
  seed: z.int().min(0),
  /** Save within an epoch every N batches; 0: never. */
  everyBatches: z.int().min(0),
  /** Absolute path of a verified checkpoint folder to go on from. */
  resumeFrom: z.string().nullable(),
  /** False: `resumeFrom` gives weights alone; epoch numbers, optimizer and RNG start anew. */
  keepProgress: z.boolean(),
  /** 1 normally; 2, 4, …: train with 1/n of the batch and accumulate gradients over n (after out-of-memory). */
  batchDivisor: z.int().min(1),
  /** Absolute path of at most 100 bytes: the Unix socket on which the trainer listens, with mode 0600. Left out: a run by hand. */
  socket: z.string().optional(),
  /** How often to write snapshots: in seconds, or as what they cost allows. Left out: none. */
  snapshots: z.union([z.enum(['auto', 'off']), z.number().min(0)]).optional(),
  /** How long it trains on without a worker, at most. */
  reattachSeconds: z.number().min(0).optional(),
});
export type SessionFile = z.infer<typeof sessionFileSchema>;

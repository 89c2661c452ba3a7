/** The receipt, composed from what the run remembers. Pure, clock given. */
import { failureKinds } from '../contracts/failure.ts';
import type { Cause, Outcome, Receipt } from '../contracts/receipt.ts';
import { draftConfigSchema } from '../contracts/run-config.ts';
import { lastEpochOf, type RunContext } from './run-context.ts';
import { batchesBetween } from './run-progress.ts';
import { type RunStory, stateSeconds } from './run-story.ts';

/** Why the training ended. A failure to publish outranks all: what is not in the store was not landed. */
export function causeOf(context: RunContext): Cause {
  if (context.publishFailure) return { kind: 'failure', failure: context.publishFailure };
  if (context.failure) return { kind: 'failure', failure: context.failure };
  if (context.stop && !(allTrained(context) && context.finished)) return { kind: 'stop', ...context.stop };
  const { endedEarly } = context;
  return endedEarly ? { kind: 'finished', early: { reason: endedEarly.reason } } : { kind: 'finished' };
}

export function outcomeOf(context: RunContext): Outcome {
  const cause = causeOf(context);
  return cause.kind === 'failure' ? 'failed' : cause.kind === 'stop' ? 'stopped' : 'completed';
}

const allTrained = (context: RunContext) => context.plan !== null && context.position.epoch >= lastEpochOf(context);

/** Batches that are part of the result; epochs of one run have one length, the trainer's own report says which. */
const batchesTrained = (context: RunContext) =>
  batchesBetween({ epoch: 0, batch: 0 }, context.position, context.batchesPerEpoch);

export function bestOf(context: RunContext): Receipt['best'] {
  const best = context.plan?.best;
  const entry = context.ledger.find(({ reasons }) => reasons.includes('best'));
  const value = best && entry?.metrics[best.metric];
  if (!best || !entry || value === undefined) return null;
  return { metric: best.metric, value, epoch: entry.epoch, ...(entry.from ? { from: entry.from } : {}) };
}

/** Why the run folder has to stay, or null when it may go: everything in it is in the store. */
export function reasonToKeep(context: RunContext): string | null {
  if (context.publishFailure) return `publishing failed: ${context.publishFailure.message}`;
  if (context.failure) return `${failureKinds[context.failure.kind]}; folder kept for inspection`;
  return null;
}

/** Where publishing failed: what was stored, and read back, while the training continued is there all the same. */
const storedBefore = ({ publishFailure, ledger }: RunContext): Receipt['checkpoints'] =>
  ledger
    .filter(({ stored }) => stored && publishFailure !== null)
    .map(({ host: _, stored: __, ...entry }) => ({
      ...entry,
      files: entry.files.map((file) => ({ ...file, path: `checkpoints/${entry.name}/${file.path}` })),
    }));

/** All that is known now. Files are those that `publish` reported; before that, none. */
export function composeReceipt(context: RunContext, story: RunStory, now: Date): Receipt {
  // A draft that was given up before it was whole has no plan.
  const config = context.plan?.config ?? draftConfigSchema.safeParse(context.draft).data;
  const host = context.lastHost;
  return {
    receiptVersion: 1,
    run: context.run,
    project: config?.project ?? 'default',
    trainer: config?.trainer ?? '',
    outcome: outcomeOf(context),
    cause: causeOf(context),
    startedAt: story.beganAt ?? story.startedAt,
    endedAt: now.toISOString(),
    epochs: { trained: context.position.epoch, planned: config?.epochs ?? 0 },
    batches: {
      trained: batchesTrained(context),
      wasted: context.batchesWasted + batchesBetween(context.position, context.reached, context.batchesPerEpoch),
      ...(context.wastedAtLeast || context.reachedAtLeast ? { wastedAtLeast: true } : {}),
      afterStop: context.batchesAfterStop,
    },
    metrics: context.metrics,
    best: bestOf(context),
    checkpoints: context.published?.checkpoints ?? storedBefore(context),
    files: context.published?.files ?? [],
    outputFolder: context.plan?.outputFolder ?? null,
    publishedBytes: context.published?.bytes ?? 0,
    localFolder: host === null ? { kind: 'none' } : { kind: 'unknown', host },
    stateSeconds: stateSeconds(story, now),
    restarts: context.restarts.map((restart, index) => ({
      at: story.restartTimes[index] ?? story.startedAt,
      ...restart,
    })),
    processGroupGone: host === null ? true : context.processGroupGone,
    gpuMemoryReleased: context.gpuMemoryReleased ?? null,
    data: context.published?.data ?? null,
    notes: context.notes,
    sessions: context.sessions,
    materials: context.materials,
    ...context.published?.facts,
  };
}

/** Where each child of the run chart is performed: which activity, on which queue, with which limits. */
import type { Duration } from '@temporalio/common';
import * as wf from '@temporalio/workflow';
import { shownValue } from '../contracts/config-problems.ts';
import { type CheckedConfig, checkedConfigSchema } from '../contracts/host-messages.ts';
import { isProjectAddress } from '../contracts/project-address.ts';
import { hostControlQueue, hostQueue, poolControlQueue, poolQueue } from '../contracts/queues.ts';
import { receiptSchema } from '../contracts/receipt.ts';
import {
  type CleanUpInput,
  type KeepCheckpointsInput,
  keptCheckpointsSchema,
  type MovedIn,
  type MoveInInput,
  movedInSchema,
  noFreeSlotType,
  type OpenSessionInput,
  openedSessionSchema,
  type PublishInput,
  publishedSchema,
  type RunActivities,
  type StopTrainerInput,
  type TellObserverInput,
  type TrainEpochInput,
  toldSchema,
} from '../contracts/run-activities.ts';

import { type DraftConfig, draftConfigSchema, type RunConfig } from '../contracts/run-config.ts';
import { type SessionName, sessionEndSchema, sessionReportSchema } from '../contracts/session.ts';
import { answerOf } from './answers.ts';

/** How long a host that had the run may take to answer before the run continues elsewhere, in seconds. */
const reattachSeconds = 2;
/** The same once it has taken the work: the server gives work to a host that has just vanished for up to a minute. */
const reattachHeartbeatSeconds = 5;
/** How long the check of a draft may wait for a worker of its pool: who asked for it waits, too. */
const draftCheckSeconds = 20;
/** How long publishing and cleaning up wait for the host that has the files. */
const hostReturnTimeout = '5m';
/** How long the end of a run waits for its observers to be told of it. */
export const observersEndSeconds = 30;
/** Longer than any training: Temporal asks for a bound, and the heartbeat is the real one. */
const unbounded = '3650d';

const activitiesOn = (queue: string, options: wf.ActivityOptions) =>
  wf.proxyActivities<RunActivities>({
    taskQueue: queue,
    startToCloseTimeout: unbounded,
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    ...options,
  });

/** The chart decides about another attempt, not the server. */
const once = { maximumAttempts: 1 };
const untilItWorks = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '60s' } as const;

const heartbeat = (config: RunConfig) => `${config.deadlines.heartbeatSeconds}s` as const;
const priorityOf = ({ priority, fairnessKey }: RunConfig) => ({
  priorityKey: priority,
  ...(fairnessKey ? { fairnessKey } : {}),
});

/** A draft is there to be put right: whoever trains one hears that nobody serves its pool. Any other run waits for a worker. */
export async function checkConfig(
  draft: DraftConfig,
  chain: readonly string[],
  isDraft: boolean,
): Promise<CheckedConfig> {
  const pool = draftConfigSchema.shape.pool.safeParse(draft.pool).data ?? 'gpu';
  const { checkConfig: ask } = activitiesOn(poolControlQueue(pool), {
    // Where its data set is a project that is downloaded first, the heartbeat is the bound.
    startToCloseTimeout: isProjectAddress(draft.data) ? '1d' : '10m',
    heartbeatTimeout: '60s',
    ...(isDraft ? { scheduleToStartTimeout: `${draftCheckSeconds}s` } : {}),
    retry: { maximumAttempts: 5 },
    summary: 'check the configuration',
  });
  try {
    return await answerOf('checkConfig', checkedConfigSchema, () => ask(draft, chain));
  } catch (error) {
    if (!isDraft || !isUnanswered(error)) throw error;
    const message = `must be a pool that has a worker: none picked up the check within ${draftCheckSeconds} s`;
    return { ok: false, problems: [{ field: 'pool', value: shownValue(pool), message }] };
  }
}

/** On the host that had the run, if it answers and is not going down; else on any host of the pool with a free slot. */
export const openSession = (input: OpenSessionInput, nextSession: () => SessionName) =>
  answerOf('openSession', openedSessionSchema, () => openAnywhere(input, nextSession));

/** Whoever was asked and has not answered may have a session by now: each ask is for another one. */
async function openAnywhere(input: OpenSessionInput, nextSession: () => SessionName) {
  const { config, previous, elsewhere } = input;
  const options = { heartbeatTimeout: heartbeat(config), retry: once, priority: priorityOf(config) };
  if (previous && !elsewhere) {
    try {
      return await activitiesOn(hostQueue(previous.host), {
        ...options,
        heartbeatTimeout: `${Math.min(config.deadlines.heartbeatSeconds, reattachHeartbeatSeconds)}s`,
        scheduleToStartTimeout: `${reattachSeconds}s`,
        summary: `open a session on ${previous.host}`,
      }).openSession({ ...input, next: nextSession() });
    } catch (error) {
      if (!isUnanswered(error) && !isSilent(error) && !isBusy(error)) throw error;
    }
  }
  const pool = activitiesOn(poolQueue(config.pool), { ...options, summary: 'wait for a slot, open a session' });
  for (;;) {
    try {
      return await pool.openSession({ ...input, next: nextSession() });
    } catch (error) {
      // A slot that was free when the worker asked for work, and was taken before the work came.
      if (!isBusy(error)) throw error;
      await wf.sleep('1s');
    }
  }
}

const isTimeout = (error: unknown, type: wf.TimeoutFailure['timeoutType']) =>
  error instanceof wf.ActivityFailure && error.cause instanceof wf.TimeoutFailure && error.cause.timeoutType === type;
/** Nobody took the work. */
const isUnanswered = (error: unknown) => isTimeout(error, 'SCHEDULE_TO_START');
/** Whoever took the work has not been heard of since. */
const isSilent = (error: unknown) => isTimeout(error, 'HEARTBEAT');
const isBusy = (error: unknown) =>
  error instanceof wf.ActivityFailure &&
  error.cause instanceof wf.ApplicationFailure &&
  error.cause.type === noFreeSlotType;

export const trainEpoch = (input: TrainEpochInput) => {
  const { trainEpoch: ask } = activitiesOn(hostQueue(input.session.host), {
    heartbeatTimeout: heartbeat(input.config),
    scheduleToStartTimeout: heartbeat(input.config),
    retry: once,
    summary: `epoch ${input.epoch} of ${input.config.epochs}`,
  });
  return answerOf('trainEpoch', sessionReportSchema, () => ask(input));
};

/** Checkpoints pile up while nobody stores them: a host that went away is not waited for longer than by the epoch. */
export const keepCheckpoints = (input: KeepCheckpointsInput, host: string) => {
  const patience = `${Math.min(60, Math.max(5, input.config.deadlines.heartbeatSeconds))}s` as const;
  const { keepCheckpoints: ask } = activitiesOn(hostQueue(host), {
    heartbeatTimeout: patience,
    scheduleToStartTimeout: patience,
    retry: untilItWorks,
    summary: `store ${input.store.map(({ name }) => name).join(', ') || 'nothing'}`,
  });
  return answerOf('keepCheckpoints', keptCheckpointsSchema, () => ask(input));
};

export const stopTrainer = (input: StopTrainerInput) => {
  const { stopTrainer: ask } = activitiesOn(hostControlQueue(input.session.host), {
    heartbeatTimeout: heartbeat(input.config),
    scheduleToStartTimeout: `${input.config.deadlines.heartbeatSeconds * 2}s`,
    retry: { initialInterval: '0.2s', maximumAttempts: 10 },
    summary: `stop: ${input.rung}`,
  });
  return answerOf('stopTrainer', sessionEndSchema, () => ask(input));
};

/**
 * On the host that has the other life's files, if it answers; without it, the store has what it has. Only for what is on that host
 * alone it is waited for: a training that has all it needs does not stand still for a host that is gone.
 */
export async function moveIn(input: MoveInInput): Promise<MovedIn> {
  const { config, ledger, host } = input;
  const perform: Perform<MovedIn> = (queue, limits, at) => {
    const { moveIn: ask } = activitiesOn(queue, {
      scheduleToCloseTimeout: `${config.deadlines.publishSeconds}s`,
      summary: 'move to a place of its own, beside that of the previous life',
      ...limits,
    });
    return answerOf('moveIn', movedInSchema, () => ask({ ...input, host: at }));
  };
  const moved = await onHost(host, heartbeat(config), perform);
  if (moved) return moved;
  const without = await onPool(config, perform);
  const isWhole = ledger.every(({ name }) => without.brought.includes(name));
  return isWhole ? without : ((await onHost(host, hostReturnTimeout, perform)) ?? without);
}

/** On the host that has the files; without it, what the store holds is counted by any worker of the pool. */
export const publish = (input: PublishInput) =>
  onHostElsePool(input, (queue, limits, host) => {
    const { publish: ask } = activitiesOn(queue, {
      scheduleToCloseTimeout: `${input.config.deadlines.publishSeconds}s`,
      summary: 'publish',
      ...limits,
    });
    return answerOf('publish', publishedSchema, () => ask({ ...input, host }));
  });

/** Without the host its folder stays, which the receipt says; the host deals with it when it is back. */
export const cleanUp = (input: CleanUpInput) =>
  onHostElsePool(input, (queue, limits, host) => {
    const { cleanUp: ask } = activitiesOn(queue, {
      scheduleToCloseTimeout: '30m',
      summary: input.keep === null ? 'remove the run folder' : 'keep the run folder',
      ...limits,
    });
    return answerOf('cleanUp', receiptSchema, () => ask({ ...input, host }));
  });

/** `limits`: what all of them have in common, for each to set its own time. */
type Perform<T> = (queue: string, limits: wf.ActivityOptions, host: string | null) => Promise<T>;
const limits = { heartbeatTimeout: '60s', retry: untilItWorks } as const;

/** Null where there is no host to ask, or nobody there takes the work within `patience`. */
async function onHost<T>(host: string | null, patience: Duration, perform: Perform<T>): Promise<T | null> {
  if (host === null) return null;
  try {
    return await perform(hostQueue(host), { ...limits, scheduleToStartTimeout: patience }, host);
  } catch (error) {
    if (!isUnanswered(error)) throw error;
    return null;
  }
}

const onPool = <T>({ pool }: RunConfig, perform: Perform<T>) => perform(poolControlQueue(pool), limits, null);

const onHostElsePool = async <T>({ host, config }: { host: string | null; config: RunConfig }, perform: Perform<T>) =>
  (await onHost(host, hostReturnTimeout, perform)) ?? onPool(config, perform);

/**
 * On any worker of the pool. Attempts cost a history nothing, deliveries that are given up do: an observer that is unavailable is tried for hours. `isLast`: the run
 * waits for it.
 */
export const tellObserver = (input: TellObserverInput, isLast: boolean) =>
  askToTell(input, isLast ? `${observersEndSeconds}s` : '6h');

/** Nobody waits for it: the longer an observer is unavailable, the less often it is tried. */
export const tellObserverLater = (input: TellObserverInput, seconds: number) =>
  askToTell(input, `${seconds}s`, { ...untilItWorks, maximumInterval: '15m' });

async function askToTell(
  input: TellObserverInput,
  within: Duration,
  retry: wf.ActivityOptions['retry'] = untilItWorks,
) {
  const { tellObserver: ask } = activitiesOn(poolControlQueue(input.config.pool), {
    ...limits,
    startToCloseTimeout: '5m',
    scheduleToCloseTimeout: within,
    heartbeatTimeout: '15s',
    summary: `tell ${input.observer ?? 'all observers'}`,
    ...(retry ? { retry } : {}),
  });
  return toldSchema.parse(await ask(input));
}

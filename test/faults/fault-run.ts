/** A run under faults: what it tells while servers and workers come and go, and how it ended. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import { liveProgress } from '../../client/live-progress.ts';
import { ProgressLease } from '../../client/progress-lease.ts';
import type { Position } from '../../contracts/checkpoint.ts';
import { type Progress, progressSchema, workProgressSchema } from '../../contracts/progress.ts';
import { type Receipt, receiptSchema } from '../../contracts/receipt.ts';
import type { RunConfigInput } from '../../contracts/run-config.ts';
import { failureTypes, type RunView, runQuery, runViewSchema } from '../../contracts/run-messages.ts';
import { isGroupAlive, type ProcessIdentity } from '../../worker/process-groups.ts';
import { RunFolders } from '../../worker/run-folders.ts';
import { until } from '../support/until.ts';
import type { FaultHosts, FaultWorker } from './fault-host.ts';
import { type SeenTrainer, trainerOf } from './launched.ts';

/** How the workflow closed, and the receipt as it gave it away there. */
export interface Closed {
  how: 'completed' | 'failed' | 'cancelled' | 'terminated';
  /** Null when its end was from outside: then only the store can have one. */
  receipt: Receipt | null;
}

export class FaultRun {
  /** Every trainer process that was seen of this run, for the proof that none is left. */
  readonly trainers: ProcessIdentity[] = [];
  /** The worker that started the newest trainer that was seen. */
  lastSeenOn: FaultWorker | null = null;
  readonly #lease = new ProgressLease((host) => this.hosts.watch(host, this.id));

  constructor(
    readonly handle: WorkflowHandle,
    readonly config: RunConfigInput,
    readonly hosts: FaultHosts,
    /** The name of its folders: the run id, but for a life after a reset. */
    readonly place: string = handle.workflowId,
  ) {}

  get id(): string {
    return this.handle.workflowId;
  }

  /** Where its artifacts land. */
  get outputFolder(): string {
    return `${this.config.store ?? this.hosts.store}/experiments/${this.config.project ?? 'default'}/${this.place}`;
  }

  /** Where a disk of this machine has them. */
  get outputOnDisk(): string {
    return this.hosts.onDisk(this.outputFolder);
  }

  async view(): Promise<RunView> {
    return runViewSchema.parse(await this.handle.query(runQuery));
  }

  /** Waits for a view that satisfies the condition; a server or worker that is away is waited for, too. */
  async until(what: string, condition: (view: RunView) => boolean, seconds = 240): Promise<RunView> {
    let last: RunView | undefined;
    let trouble: unknown;
    return until(
      `${this.id}: ${what}`,
      async () => {
        try {
          last = await this.view();
        } catch (error) {
          trouble = error;
          return null;
        }
        return condition(last) ? last : null;
      },
      seconds,
      () =>
        JSON.stringify({
          detail: last?.detail,
          position: last?.position,
          events: last?.events,
          trouble: String(trouble),
        }),
    );
  }

  /** Live progress, as everyone who watches reads it; null between two epochs, and when the server is unavailable. */
  async progress(activity = 'trainEpoch'): Promise<Progress | null> {
    return progressSchema.safeParse((await this.pending(activity))?.details).data ?? null;
  }

  /** An activity that is under way: how often it was begun, and what it says of itself. Whoever asks watches the run. */
  async pending(activity: string): Promise<{ attempt: number; details: unknown } | null> {
    const description = await this.handle.describe().catch(() => null);
    if (description) this.#lease.keep(description, await liveProgress(this.hosts.client, description));
    const found = description?.raw.pendingActivities?.find(({ activityType }) => activityType?.name === activity);
    if (!found) return null;
    const data = found.heartbeatDetails?.payloads?.[0]?.data;
    const details: unknown = data ? JSON.parse(Buffer.from(data).toString('utf8')) : null;
    return { attempt: found.attempt ?? 0, details };
  }

  /** Waits until publishing was tried, and failed, and is tried again. */
  async publishesAgain(seconds = 240): Promise<void> {
    const again = async () => ((await this.pending('publish'))?.attempt ?? 0) > 1 || null;
    await until(`${this.id}: publishes again`, again, seconds);
  }

  /** Waits until a session that is being opened waits for its store, before there is a trainer. */
  async waitsForStore(): Promise<void> {
    await this.waitsFor('the store');
  }

  /** The same for anybody else, as the session calls them. */
  async waitsFor(whom: string): Promise<void> {
    await until(`${this.id} waits for ${whom}`, async () => {
      const opening = workProgressSchema.safeParse((await this.pending('openSession'))?.details).data;
      return opening?.doing.startsWith(`wait for ${whom}: `);
    });
  }

  /** Waits until this batch, or a later one, is trained. */
  async reaches(epoch: number, batch: number, seconds = 240): Promise<Position> {
    let last: Progress | null = null;
    return until(
      `${this.id}: batch ${batch} of epoch ${epoch}`,
      async () => {
        last = (await this.progress()) ?? last;
        if (last === null || last.phase === 'setUp') return null;
        const position: Position = { epoch: last.epoch - 1, batch: last.batch };
        // A save interrupts the count of the phase before it.
        const isThere = !['train', 'save'].includes(last.phase) || last.batch >= batch;
        return last.epoch > epoch || (last.epoch === epoch && isThere) ? position : null;
      },
      seconds,
      () => JSON.stringify(last),
    );
  }

  async update(name: string, ...args: unknown[]): Promise<RunView> {
    return runViewSchema.parse(await this.handle.executeUpdate(name, { args: args as [] }));
  }

  /** Looks for its trainers on every host, and remembers them. */
  async look(): Promise<void> {
    for (const worker of this.hosts.workers) {
      const found = await trainerOf(new RunFolders(worker.dataFolder).of(this.place)).catch(() => null);
      if (found && this.remember(found)) this.lastSeenOn = worker;
    }
  }

  /** The trainer that runs for it on `worker` now; remembered for the final check. */
  async trainer(worker: FaultWorker): Promise<SeenTrainer> {
    const found = await until(`${this.id} has a trainer`, () =>
      trainerOf(new RunFolders(worker.dataFolder).of(this.place)),
    );
    this.remember(found);
    return found;
  }

  /** Whether the checkpoint is whole on the worker's disk. */
  hasOnDisk(worker: FaultWorker, checkpoint: string): boolean {
    return existsSync(join(new RunFolders(worker.dataFolder).of(this.place).checkpoints, checkpoint));
  }

  /** Waits until its trainer on `worker` was asked to stop, and has heard it, whatever it does then. */
  async hearsStop(worker: FaultWorker): Promise<void> {
    const { events } = new RunFolders(worker.dataFolder).of(this.place);
    const heard = async () => (await readFile(events, 'utf8').catch(() => '')).includes('"command":"stop"');
    await until(`the trainer of ${this.id} hears of the stop`, heard);
  }

  /** Waits until the process has ended, by itself or by the one who ended it. */
  async ends(trainer: ProcessIdentity): Promise<void> {
    await until(`the trainer ${trainer.pid} of ${this.id} ends`, async () => !(await isGroupAlive(trainer)));
  }

  /** The trainer after those that are known already. */
  async newTrainer(worker: FaultWorker): Promise<SeenTrainer> {
    const folder = new RunFolders(worker.dataFolder).of(this.place);
    return until(`${this.id} has a new trainer`, async () => {
      const found = await trainerOf(folder);
      return found && this.remember(found) ? found : null;
    });
  }

  /** True when it is a new one. */
  remember(trainer: ProcessIdentity): boolean {
    const isKnown = this.trainers.some(
      ({ pid, startTicks }) => pid === trainer.pid && startTicks === trainer.startTicks,
    );
    if (!isKnown) this.trainers.push(trainer);
    return !isKnown;
  }

  /** Waits for the end, through every outage. */
  async closed(seconds = 480): Promise<Closed> {
    const limit = performance.now() + seconds * 1000;
    for (;;) {
      try {
        const result = await inTime(this.handle.result(), limit, `${this.id} does not end`);
        return { how: 'completed', receipt: receiptSchema.parse(result) };
      } catch (error) {
        if (error instanceof OutOfTime) {
          const view = await inTime(this.view(), performance.now() + 5000, 'no view').catch(() => null);
          throw new Error(
            `${error.message}: ${JSON.stringify(view && { detail: view.detail, position: view.position, events: view.events })}`,
          );
        }
        if (!(error instanceof WorkflowFailedError)) continue; // the server is unavailable
        const { cause } = error;
        if (cause instanceof CancelledFailure)
          return { how: 'cancelled', receipt: (await this.until('has a view', () => true)).receipt };
        if (cause instanceof TerminatedFailure) return { how: 'terminated', receipt: null };
        if (cause instanceof ApplicationFailure && cause.type === failureTypes.trainingFailed) {
          return { how: 'failed', receipt: receiptSchema.parse(cause.details?.[0]) };
        }
        throw error;
      }
    }
  }
}

class OutOfTime extends Error {}

async function inTime<T>(work: Promise<T>, limit: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new OutOfTime(what)), Math.max(0, limit - performance.now()));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

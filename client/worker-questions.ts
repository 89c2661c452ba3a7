/** Questions that workers answer without a run: standalone activities on the control queues. */
import { randomUUID } from 'node:crypto';
import { ActivityExecutionFailedError, type ActivityHandle, TimeoutFailure } from '@temporalio/client';
import { z } from 'zod';
import { type HostMaterials, hostMaterialsSchema, type MaterialsQuestion } from '../contracts/host-materials.ts';
import {
  type CheckedConfig,
  type CheckQuestion,
  checkedConfigSchema,
  type HostStatus,
  hostStatusSchema,
  type KeptFolder,
  keptFolderSchema,
  type TrainerList,
  trainerListSchema,
} from '../contracts/host-messages.ts';
import { workProgressSchema } from '../contracts/progress.ts';
import { isProjectAddress } from '../contracts/project-address.ts';
import { hostControlQueue, poolControlQueue } from '../contracts/queues.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import type { Calls } from './calls.ts';
import { NoWorkerError, WorkerFailedError } from './errors.ts';
import { typedError } from './temporal-errors.ts';

const lookEveryMs = 500;
/** Of a data set that the check downloads; that it still moves is told by its heartbeats. */
const longestDownloadSeconds = 24 * 3600;

export type Hear = (doing: string) => void;

export interface Question<T> {
  queue: string;
  activity: string;
  args: unknown[];
  answer: z.ZodType<T>;
  /** Seconds that it may wait for a worker. */
  waitSeconds: number;
  /** Seconds that the answer may take: a first question to a trainer may make its Python environment. */
  answerSeconds: number;
  /** Who does not answer, as a sentence. */
  nobody: string;
  summary: string;
  /** Hears what the worker is doing, where that takes longer than a moment. */
  onProgress?: Hear | undefined;
  /** The server need not remember question and answer: there are many, or they are large. */
  leavesNoTrace?: true;
}

export class WorkerQuestions {
  readonly #calls: Calls;
  readonly #waitSeconds: number;

  constructor(calls: Calls, waitSeconds: number) {
    this.#calls = calls;
    this.#waitSeconds = waitSeconds;
  }

  checkConfig(
    config: RunConfig,
    { onProgress, ...how }: CheckQuestion & { onProgress?: Hear },
  ): Promise<CheckedConfig> {
    return this.ask({
      ...this.poolQuestion(config.pool),
      ...(isProjectAddress(config.data) ? { answerSeconds: longestDownloadSeconds } : {}),
      onProgress,
      activity: 'checkConfig',
      args: [config, null, how],
      answer: checkedConfigSchema,
      summary: `check ${config.run}`,
    });
  }

  trainers(pool: string): Promise<TrainerList> {
    return this.ask({
      ...this.poolQuestion(pool),
      activity: 'listTrainers',
      args: [],
      answer: trainerListSchema,
      summary: 'list trainers',
    });
  }

  hostStatus(host: string): Promise<HostStatus> {
    return this.ask({
      ...this.hostQuestion(host),
      activity: 'hostStatus',
      args: [],
      answer: hostStatusSchema,
      summary: 'status',
    });
  }

  materials(host: string, question: MaterialsQuestion): Promise<HostMaterials> {
    return this.ask({
      ...this.hostQuestion(host),
      activity: 'trainerMaterials',
      args: [question],
      answer: hostMaterialsSchema,
      summary: `what ${question.trainer} is made of`,
    });
  }

  keptFolders(host: string): Promise<KeptFolder[]> {
    return this.ask({
      ...this.hostQuestion(host),
      activity: 'listData',
      args: [],
      answer: z.array(keptFolderSchema),
      summary: 'list run folders',
    });
  }

  /** Its host tells of the run several times a second, for as many seconds as it answers. */
  watchRun(host: string, run: string): Promise<number> {
    return this.ask({
      ...this.hostQuestion(host),
      activity: 'watchRun',
      args: [run],
      answer: z.number(),
      summary: `watch ${run}`,
    });
  }

  async removeKept(host: string, run: string): Promise<void> {
    await this.ask({
      ...this.hostQuestion(host),
      activity: 'removeData',
      args: [run],
      answer: z.unknown(),
      summary: `remove the run folder of ${run}`,
    });
  }

  /** Answers the id of the workflow that publishes. */
  publishKept(host: string, run: string): Promise<string> {
    return this.ask({
      ...this.hostQuestion(host),
      activity: 'publishData',
      args: [run],
      answer: z.string(),
      summary: `publish the run folder of ${run}`,
    });
  }

  poolQuestion(pool: string) {
    const nobody = `no worker serves pool ${pool}: start one with "EPOCHAL_POOL=${pool} epochal worker", or choose another pool`;
    return { queue: poolControlQueue(pool), waitSeconds: this.#waitSeconds, answerSeconds: 3600, nobody };
  }

  hostQuestion(host: string) {
    return {
      queue: hostControlQueue(host),
      waitSeconds: Math.min(this.#waitSeconds, 10),
      answerSeconds: 600,
      nobody: `host ${host} does not answer: its worker is not running`,
      leavesNoTrace: true as const,
    };
  }

  /** Throws NoWorkerError, WorkerFailedError, ConfigError (a refused question) and the errors of the server. */
  async ask<T>(question: Question<T>): Promise<T> {
    const { client, server } = this.#calls;
    let answer: unknown;
    try {
      const asked = await this.#calls.within(10, null, () =>
        client.activity.start(question.activity, {
          id: `${question.activity}-${randomUUID()}`,
          taskQueue: question.queue,
          args: question.args,
          scheduleToStartTimeout: question.waitSeconds * 1000,
          startToCloseTimeout: question.answerSeconds * 1000,
          heartbeatTimeout: '30s',
          retry: { maximumAttempts: 2 },
          summary: question.summary,
        }),
      );
      const stopListening = question.onProgress ? this.#listen(asked, question.onProgress) : () => undefined;
      try {
        answer = await asked.result();
      } finally {
        stopListening();
        if (question.leavesNoTrace) this.#forget(asked);
      }
    } catch (error) {
      if (error instanceof ActivityExecutionFailedError && error.cause instanceof TimeoutFailure) {
        if (error.cause.timeoutType === 'SCHEDULE_TO_START') throw new NoWorkerError(question.nobody, { cause: error });
        throw new WorkerFailedError(`a worker took the question "${question.summary}" and went silent`, {
          cause: error,
        });
      }
      throw typedError(error, server, null);
    }
    const parsed = question.answer.safeParse(answer);
    if (parsed.success) return parsed.data;
    throw new WorkerFailedError(`the worker's answer to ${question.activity} is of another version of Epochal`, {
      cause: parsed.error,
    });
  }

  /** Tells what the heartbeats say, each thing once. Best effort; answers how to end it. */
  #listen(asked: ActivityHandle, hear: Hear): () => void {
    let last = '';
    let isOver = false;
    const look = async () => {
      const description = await asked.describe({ includeHeartbeatDetails: true });
      const work = workProgressSchema.safeParse(await description.getHeartbeatDetails());
      if (isOver || !work.success || work.data.doing === last) return;
      last = work.data.doing;
      hear(last);
    };
    const timer = setInterval(() => void look().catch(() => undefined), lookEveryMs);
    return () => {
      isOver = true;
      clearInterval(timer);
    };
  }

  /** In the background, and best effort: a server that does not know how forgets it after its retention time. */
  #forget({ activityId, runId }: { activityId: string; runId?: string }): void {
    const { client } = this.#calls;
    const what = { namespace: client.options.namespace, activityId, runId: runId ?? '' };
    void client.connection.workflowService.deleteActivityExecution(what).catch(() => undefined);
  }
}

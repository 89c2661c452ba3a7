/**
 * The Worker Deployment of those that serve workflows: which version of the code gets the workflow tasks. One that starts makes its version
 * Current; one whose Current colleagues have gone takes over. Runs upgrade automatically: they move to the Current version with their next task.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { NativeConnection, WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import { pollMs, type WorkflowQueue, workflowQueueNow } from '../../client/workflow-pollers.ts';

/** Milliseconds. */
const replayAgainAfter = 60_000;
const tidyEvery = 10 * 60_000;
const registeredWithin = 30_000;
const askAgainAfter = 100;
const answeredWithin = 10_000;
const leaveWithin = 3_000;

/** Status codes of gRPC. */
const notFound = 5;
const failedPrecondition = 9;
/** Of a server that knows no deployments, or does not allow them. */
const unsupported: readonly unknown[] = [3, 7, 12];

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : null);

export interface DeploymentOptions {
  connection: NativeConnection;
  namespace: string;
  queue: string;
  build: string;
  /** Of this process, among those that poll the queue. */
  identity: string;
  log: Logger;
  lookEveryMs: number;
  /** Replays what is open with this version. Answers what this version cannot go on with, one sentence per run. */
  replay: () => Promise<string[]>;
}

/** A queue has a deployment of its own: its name, without what names of deployments must not have. */
export const deploymentName = (queue: string): string => queue.replaceAll(/[.:]/g, '-');

/** False where this server has no deployments: then workers poll unversioned. Throws while it does not answer. */
export async function hasDeployments(connection: NativeConnection, namespace: string, queue: string): Promise<boolean> {
  try {
    await connection.workflowService.describeWorkerDeployment({ namespace, deploymentName: deploymentName(queue) });
    return true;
  } catch (error) {
    if (codeOf(error) === notFound) return true;
    if (unsupported.includes(codeOf(error))) return false;
    throw error;
  }
}

export class Deployment {
  readonly #options: DeploymentOptions;
  readonly #name: string;
  readonly #ended = new AbortController();
  /** Whether it has been Current, or seen to be: until then it wants to be, whoever is. */
  #settled = false;
  #replayAt = 0;
  #tidyAt = 0;
  #said = '';

  constructor(options: DeploymentOptions) {
    this.#options = options;
    this.#name = deploymentName(options.queue);
  }

  /** By which a worker is of this version. */
  get workerOptions(): Pick<WorkerOptions, 'workerDeploymentOptions'> {
    return {
      workerDeploymentOptions: {
        useWorkerVersioning: true,
        version: { deploymentName: this.#name, buildId: this.#options.build },
        defaultVersioningBehavior: 'AUTO_UPGRADE',
      },
    };
  }

  /** Returns once this version is Current, or it was said why not; looks again from then on. The worker must poll. */
  async start(): Promise<void> {
    await this.#lookSafely();
    void this.#watch();
  }

  /** Before the worker stops. Where servers of another version are there, one of them takes over. */
  async leave(): Promise<void> {
    this.end();
    const { connection, log } = this.#options;
    await connection
      .withDeadline(Date.now() + leaveWithin, () => this.#release())
      .catch((error) => log.warn({ err: error }, 'no other version was let take over'));
  }

  /** Looks no more; says nothing to the others. */
  end(): void {
    this.#ended.abort();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await delay(this.#options.lookEveryMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (!signal.aborted) await this.#lookSafely();
    }
  }

  async #lookSafely(): Promise<void> {
    await this.#look().catch((error) => {
      if (!this.#ended.signal.aborted) this.#say(`the version of workflows could not be settled: ${error}`);
    });
  }

  async #look(): Promise<void> {
    const { build, log } = this.#options;
    const queue = await this.#answered(() => this.#queue());
    if (queue.current !== build) {
      if (this.#settled && this.#isServed(queue)) return;
      if (performance.now() < this.#replayAt) return;
      const problems = await this.#options.replay();
      if (this.#ended.signal.aborted) return;
      if (problems.length > 0) {
        this.#replayAt = performance.now() + replayAgainAfter;
        this.#say(
          `version ${build} of workflows cannot go on with ${problems.length === 1 ? 'a run' : `${problems.length} runs`} and does not take over: ${problems.join('; ')}. ` +
            `End ${problems.length === 1 ? 'it' : 'them'}, or start the version that was there before; ` +
            `"temporal worker deployment set-current-version --deployment-name ${this.#name} --build-id ${build}" has it take over all the same`,
        );
        return;
      }
      await this.#makeCurrent();
      log.info({ build, before: queue.current }, 'this version serves the workflows');
    }
    this.#settled = true;
    this.#said = '';
    if (performance.now() < this.#tidyAt) return;
    this.#tidyAt = performance.now() + tidyEvery;
    await this.#answered(() => this.#removeLeft());
  }

  #answered<T>(call: () => Promise<T>): Promise<T> {
    return this.#options.connection.withDeadline(Date.now() + answeredWithin, call);
  }

  #queue(): Promise<WorkflowQueue> {
    const { connection, namespace, queue } = this.#options;
    return workflowQueueNow(connection, namespace, queue);
  }

  /** By its own polls: the clock of the server is not that of this machine. */
  #isServed({ current, pollers }: WorkflowQueue): boolean {
    const newest = Math.max(0, ...pollers.map(({ seenAt }) => seenAt));
    return pollers.some(({ build, seenAt }) => build === current && newest - seenAt < pollMs);
  }

  /** A version is known to the server some moments after its worker began to poll. */
  async #makeCurrent(): Promise<void> {
    const end = performance.now() + registeredWithin;
    for (;;) {
      try {
        await this.#answered(() => this.#setCurrent(this.#options.build));
        return;
      } catch (error) {
        const isEarly = codeOf(error) === notFound || codeOf(error) === failedPrecondition;
        if (!isEarly || performance.now() > end || this.#ended.signal.aborted) throw error;
        await delay(askAgainAfter);
      }
    }
  }

  async #setCurrent(buildId: string): Promise<void> {
    const { connection, namespace, identity } = this.#options;
    await connection.workflowService.setWorkerDeploymentCurrentVersion({
      namespace,
      deploymentName: this.#name,
      buildId,
      identity,
      ignoreMissingTaskQueues: true,
    });
  }

  /**
   * No version is Current then, and the others see that nobody serves. Not where someone polls unversioned: code of old, which would take
   * over what it does not know.
   */
  async #release(): Promise<void> {
    const { build, identity } = this.#options;
    const { current, pollers } = await this.#queue();
    const newest = Math.max(0, ...pollers.map(({ seenAt }) => seenAt));
    const others = pollers.filter((poller) => poller.identity !== identity && newest - poller.seenAt < pollMs);
    const isLast = !others.some((other) => other.build === build);
    if (current !== build || !isLast || others.length === 0 || others.some((other) => other.build === null)) return;
    await this.#setCurrent('');
  }

  /** Versions that nobody serves any more. The server refuses one that was polled in the last minutes: it goes the next time. */
  async #removeLeft(): Promise<void> {
    const { connection, namespace, build, identity } = this.#options;
    const { workflowService } = connection;
    const { workerDeploymentInfo } = await workflowService.describeWorkerDeployment({
      namespace,
      deploymentName: this.#name,
    });
    for (const { deploymentVersion } of workerDeploymentInfo?.versionSummaries ?? []) {
      if (!deploymentVersion?.buildId || deploymentVersion.buildId === build) continue;
      // No run is pinned to a version, so none keeps it from going.
      await workflowService
        .deleteWorkerDeploymentVersion({ namespace, deploymentVersion, identity, skipDrainage: true })
        .catch((error: unknown) => {
          if (codeOf(error) !== failedPrecondition && codeOf(error) !== notFound) throw error;
        });
    }
  }

  /** Once, until it is another matter. */
  #say(sentence: string): void {
    if (sentence === this.#said) return;
    this.#said = sentence;
    this.#options.log.error(sentence);
  }
}

/**
 * The Worker Deployment of those that serve workflows: which version of the code gets the workflow tasks. One that starts makes its version
 * Current; one whose Current colleagues have gone takes over. Runs upgrade automatically: they move to the Current version with their next task.
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { NativeConnection, WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import { pollMs, type WorkflowQueue, workflowQueueNow } from '../../client/workflow-pollers.ts';
import { codeOf, failedPrecondition, notFound, permissionDenied, unimplemented } from './status-codes.ts';

/** Milliseconds. */
const replayAgainAfter = 60_000;
const tidyEvery = 10 * 60_000;
const registeredWithin = 30_000;
const askAgainAfter = 100;
const answeredWithin = 10_000;
const leaveWithin = 3_000;

export interface DeploymentOptions {
  connection: NativeConnection;
  namespace: string;
  queue: string;
  build: string;
  /** Of this process, among those that poll the queue. */
  identity: string;
  log: Logger;
  lookEveryMs: number;
  /** Once it is aborted, this version takes nothing over. */
  signal: AbortSignal;
  /** Replays what is open with this version. Answers what this version cannot go on with, one sentence per run. */
  replay: (signal: AbortSignal) => Promise<string[]>;
  /** Called when this version has become Current, or is found to be. */
  onCurrent: (before: string | null) => Promise<void>;
}

/** A queue has a deployment of its own: its name, where names of deployments may be like that. No two queues share one. */
export function deploymentName(queue: string): string {
  const name = queue.replaceAll(/[.:]/g, '-');
  return name === queue ? name : `${name}-${createHash('sha256').update(queue).digest('hex').slice(0, 8)}`;
}

/** False where this server has no deployments: then workers poll unversioned. Throws while it does not answer. */
export async function hasDeployments(connection: NativeConnection, namespace: string, queue: string): Promise<boolean> {
  try {
    await connection.withDeadline(Date.now() + answeredWithin, () =>
      connection.workflowService.describeWorkerDeployment({ namespace, deploymentName: deploymentName(queue) }),
    );
    return true;
  } catch (error) {
    if (codeOf(error) === notFound) return true;
    if (isUnsupported(error)) return false;
    throw error;
  }
}

/** One that may not see deployments is refused with the same code as everybody where they are disabled. */
function isUnsupported(error: unknown): boolean {
  if (codeOf(error) === unimplemented) return true;
  const isDisabled = error instanceof Error && /(deployment|version)s?\b.*\bdisabled/i.test(error.message);
  return codeOf(error) === permissionDenied && isDisabled;
}

/** Throws where a version is Current: one that polls unversioned would get no task, and say nothing. */
export async function refuseUnheard(connection: NativeConnection, namespace: string, queue: string): Promise<void> {
  const { current } = await connection.withDeadline(Date.now() + answeredWithin, () =>
    workflowQueueNow(connection, namespace, queue),
  );
  if (current === null) return;
  throw new Error(
    `workflows are for version ${current} of the Worker Deployment ${deploymentName(queue)}, and this server would poll without a version: ` +
      'enable Worker Deployments at the Temporal server (system.enableDeploymentVersions); ' +
      `"${setCurrent(namespace, queue)} --unversioned" then has workers without a version asked, if that is what you want`,
  );
}

/** For people. Flags follow. */
const setCurrent = (namespace: string, queue: string): string =>
  `temporal worker deployment set-current-version --namespace ${namespace} --deployment-name ${deploymentName(queue)}`;

export class Deployment {
  readonly #options: DeploymentOptions;
  readonly #name: string;
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;
  #looking: Promise<void> = Promise.resolve();
  /** Whether it has been Current, or seen to be: until then it wants to be, whoever is. */
  #settled = false;
  #isCurrent = false;
  #replayAt = 0;
  #tidyAt = 0;
  #said = '';

  constructor(options: DeploymentOptions) {
    this.#options = options;
    this.#name = deploymentName(options.queue);
    this.#signal = AbortSignal.any([options.signal, this.#ended.signal]);
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
    const end = Date.now() + leaveWithin;
    // It may be making its version Current just now, which is to be undone.
    await Promise.race([this.#looking, delay(leaveWithin, undefined, { ref: false })]);
    await connection
      .withDeadline(end, () => this.#release())
      .catch((error) => log.warn({ err: error }, 'no other version was let take over'));
  }

  /** Looks no more; says nothing to the others. */
  end(): void {
    this.#ended.abort();
  }

  async #watch(): Promise<void> {
    while (!this.#signal.aborted) {
      await delay(this.#options.lookEveryMs, undefined, { signal: this.#signal, ref: false }).catch(() => undefined);
      if (!this.#signal.aborted) await this.#lookSafely();
    }
  }

  #lookSafely(): Promise<void> {
    this.#looking = this.#look().catch((error) => {
      if (!this.#signal.aborted) this.#say('error', `the version of workflows could not be settled: ${error}`);
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { build, onCurrent } = this.#options;
    const queue = await this.#answered(() => this.#queue());
    if (queue.current !== build) {
      this.#isCurrent = false;
      if (this.#settled && this.#isServed(queue)) {
        const who = queue.current === null ? 'workers without a version serve' : `version ${queue.current} serves`;
        this.#say('warn', `${who} the workflows now; this one (${build}) stands by`);
        return;
      }
      if (!(await this.#takeOver())) return;
    }
    this.#settled = true;
    this.#said = '';
    if (!this.#isCurrent) await onCurrent(queue.current);
    this.#isCurrent = true;
    await this.#tidy();
  }

  /** False where it must not, which is said. */
  async #takeOver(): Promise<boolean> {
    const { build, namespace, queue } = this.#options;
    if (performance.now() < this.#replayAt) return false;
    const problems = await this.#options.replay(this.#signal);
    if (problems.length > 0) {
      this.#replayAt = performance.now() + replayAgainAfter;
      this.#say(
        'error',
        `version ${build} of workflows cannot go on with ${problems.length === 1 ? 'a run' : `${problems.length} runs`} and does not take over: ${problems.join('; ')}. ` +
          `End ${problems.length === 1 ? 'it' : 'them'}, or start the version that was there before; ` +
          `"${setCurrent(namespace, queue)} --build-id ${build}" has it take over all the same`,
      );
      return false;
    }
    await this.#makeCurrent();
    return true;
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
      this.#signal.throwIfAborted();
      try {
        await this.#answered(() => this.#setCurrent(this.#options.build));
        return;
      } catch (error) {
        const isEarly = codeOf(error) === notFound || codeOf(error) === failedPrecondition;
        if (!isEarly || performance.now() > end) throw error;
        await delay(askAgainAfter);
      }
    }
  }

  /** With a token it fails where the Current version was set since the token was read. */
  async #setCurrent(buildId: string, conflictToken?: Uint8Array): Promise<void> {
    const { connection, namespace, identity } = this.#options;
    await connection.workflowService.setWorkerDeploymentCurrentVersion({
      namespace,
      deploymentName: this.#name,
      buildId,
      identity,
      ignoreMissingTaskQueues: true,
      ...(conflictToken ? { conflictToken } : {}),
    });
  }

  /**
   * No version is Current then, and the others see that nobody serves. Not where someone polls unversioned: code of old, which would take
   * over what it does not know.
   */
  async #release(): Promise<void> {
    const { build, identity, log } = this.#options;
    // First of all: whoever takes over from here on, keeps it.
    const { conflictToken, workerDeploymentInfo } = await this.#describe();
    if (workerDeploymentInfo?.routingConfig?.currentDeploymentVersion?.buildId !== build) return;
    const { pollers } = await this.#queue();
    const newest = Math.max(0, ...pollers.map(({ seenAt }) => seenAt));
    const others = pollers.filter((poller) => poller.identity !== identity && newest - poller.seenAt < pollMs);
    const isLast = !others.some((other) => other.build === build);
    if (!isLast || others.length === 0 || others.some((other) => other.build === null)) return;
    await this.#setCurrent('', conflictToken ?? undefined).catch((error: unknown) => {
      if (codeOf(error) !== failedPrecondition) throw error;
      log.debug({ err: error }, 'another version took over meanwhile');
    });
  }

  #describe() {
    const { connection, namespace } = this.#options;
    return connection.workflowService.describeWorkerDeployment({ namespace, deploymentName: this.#name });
  }

  /** What fails here is tried the next time, and keeps nobody from serving. */
  async #tidy(): Promise<void> {
    if (performance.now() < this.#tidyAt) return;
    this.#tidyAt = performance.now() + tidyEvery;
    await this.#answered(() => this.#removeLeft()).catch((error) =>
      this.#options.log.debug({ err: error }, 'versions that nobody serves were not removed'),
    );
  }

  /** Versions that nobody serves any more. The server refuses one that was polled in the last minutes: it goes the next time. */
  async #removeLeft(): Promise<void> {
    const { connection, namespace, build, identity } = this.#options;
    const { workerDeploymentInfo } = await this.#describe();
    for (const { deploymentVersion } of workerDeploymentInfo?.versionSummaries ?? []) {
      if (!deploymentVersion?.buildId || deploymentVersion.buildId === build) continue;
      // No run is pinned to a version, so none keeps it from going.
      await connection.workflowService
        .deleteWorkerDeploymentVersion({ namespace, deploymentVersion, identity, skipDrainage: true })
        .catch((error: unknown) => {
          if (codeOf(error) !== failedPrecondition && codeOf(error) !== notFound) throw error;
        });
    }
  }

  /** Once, until it is another matter. */
  #say(level: 'warn' | 'error', sentence: string): void {
    if (sentence === this.#said) return;
    this.#said = sentence;
    this.#options.log[level](sentence);
  }
}

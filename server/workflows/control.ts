/** Serves the workflows of runs: in `epochal server`, or beside the worker of `epochal up` and `epochal worker --with-control`. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { type NativeConnection, Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import { ensureSearchAttributes } from '../../client/search-attributes.ts';
import { type Conversion, temporalClient, conversion as usual } from '../../client/temporal-client.ts';
import { connect, type TemporalAddress } from '../../worker/native-connection.ts';
import { Deployment, hasDeployments, refuseUnheard } from './deployment.ts';
import { ensureReconcile } from './reconcile.ts';
import { replayOpenRuns } from './replay.ts';
import { type RunMetrics, uncounted } from './run-metrics.ts';
import { type Bundle, workflowBundle } from './workflow-bundle.ts';

export interface ControlOptions {
  log: Logger;
  cacheFolder: string;
  workflowQueue: string;
  /** Where the server is; left out, as the standard Temporal environment configuration says. */
  temporal?: TemporalAddress;
  /** How values travel; as every client of ours has it, unless told otherwise. */
  conversion?: Conversion;
  /** Whether it is a version of a Worker Deployment, where the server has them. */
  isVersioned?: boolean;
  /** The version to serve: this code's own, unless given. */
  bundle?: Bundle;
  /** How often it is looked whether the Current version is served, in milliseconds. */
  lookEveryMs?: number;
  /** Counts what its runs do, where it is given. */
  metrics?: RunMetrics;
  /**
   * Once it is aborted, nothing more is taken over, and a start that is under way ends soon: with its reason, or with what is as good as started.
   * What has started is stopped by its `stop` all the same.
   */
  signal: AbortSignal;
}

export interface RunningControl {
  /** The version that it serves; null where it polls unversioned. */
  readonly build: string | null;
  /** Resolves when it has stopped; rejects when it failed. */
  readonly stopped: Promise<void>;
  /** Workflow tasks that are under way are seen through. */
  stop(): Promise<void>;
}

/** How often runs without a receipt are looked for, in minutes. */
const reconcileMinutes = 10;
/** Milliseconds. */
const startAgainAfter = 5_000;

/** Resolves when workflows are served, or the log says why this version does not serve them. Throws while Temporal does not answer. */
export async function startControl(options: ControlOptions): Promise<RunningControl> {
  const { log, cacheFolder, temporal, signal } = options;
  const bundle = options.bundle ?? (await workflowBundle(cacheFolder, log, signal));
  signal.throwIfAborted();
  const { connection, namespace } = await connect(temporal);
  try {
    return await serve(options, bundle, connection, namespace);
  } catch (error) {
    await connection.close().catch(() => undefined);
    throw error;
  }
}

/** Among those that poll: in containers, hosts and process ids may be the same. */
export const controlIdentity = () => `epochal-control:${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;

async function serve(
  options: ControlOptions,
  bundle: Bundle,
  connection: NativeConnection,
  namespace: string,
): Promise<RunningControl> {
  const { log, workflowQueue, conversion = usual, isVersioned = true, lookEveryMs = 10_000, metrics, signal } = options;
  // A run tells its state by them, and would fail on a server that does not know them.
  await ensureSearchAttributes(connection, namespace).catch((error) => log.warn({ err: error }, 'search attributes'));
  const client = temporalClient(connection, namespace, conversion);
  const build = isVersioned && (await hasDeployments(connection, namespace, workflowQueue)) ? bundle.digest : null;
  if (build === null) await refuseUnheard(connection, namespace, workflowQueue);
  if (isVersioned && build === null)
    log.warn('this Temporal server has no Worker Deployments: workflows are served without a version');
  const identity = controlIdentity();
  const onServing = async (before: string | null) => {
    log.info({ build, ...(before === build ? {} : { before }) }, 'workflows are served');
    await ensureReconcile(client, workflowQueue, reconcileMinutes).catch((error) =>
      log.warn({ err: error }, 'no schedule that finds runs without a receipt'),
    );
  };
  const deployment =
    build === null
      ? null
      : new Deployment({
          ...{ connection, namespace, queue: workflowQueue, build, identity, log, lookEveryMs, signal },
          replay: (stop) => replayOpenRuns(client, workflowQueue, bundle, conversion, stop),
          onCurrent: onServing,
        });
  signal.throwIfAborted();
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue: workflowQueue,
    workflowBundle: { codePath: bundle.codePath },
    ...conversion,
    sinks: metrics?.sinks ?? uncounted,
    identity,
    ...(deployment?.workerOptions ?? {}),
    maxCachedWorkflows: 200,
    // Whoever served before and died held its workflows in memory: nobody waits longer than this for it to go on with one.
    stickyQueueScheduleToStartTimeout: '1s',
    workflowThreadPoolSize: 1,
    shutdownGraceTime: '2s',
    shutdownForceTime: '20s',
  });
  const running = worker.run();
  const stopped = running.finally(async () => {
    deployment?.end();
    await connection.close();
  });
  stopped.catch(() => undefined);
  await (deployment ? deployment.start() : onServing(null));
  let stopping: Promise<void> | null = null;
  const stop = async () => {
    await deployment?.leave();
    if (worker.getState() === 'RUNNING') worker.shutdown();
    await stopped;
  };
  return { build, stopped, stop: () => (stopping ??= stop()) };
}

/** Serves workflows for as long as it is wanted: it starts once Temporal is found, and again after a failure. */
export function keepControl(
  options: Omit<ControlOptions, 'temporal' | 'signal'>,
  find: () => Promise<Pick<ControlOptions, 'temporal'>>,
): { stop(): Promise<void> } {
  const { log } = options;
  const ended = new AbortController();
  const { signal } = ended;
  let control: RunningControl | null = null;
  const keep = async () => {
    for (let said = ''; !signal.aborted; ) {
      try {
        control = await startControl({ ...options, ...(await find()), signal });
        said = '';
        if (signal.aborted) await control.stop();
        await control.stopped;
      } catch (error) {
        const sentence = error instanceof Error ? error.message : String(error);
        if (sentence !== said && !signal.aborted) log.warn({ err: error }, 'workflows are not served; trying again');
        said = sentence;
      } finally {
        control = null;
      }
      await delay(startAgainAfter, undefined, { signal }).catch(() => undefined);
    }
  };
  const kept = keep();
  return {
    stop: async () => {
      ended.abort();
      await control?.stop().catch(() => undefined);
      await kept;
    },
  };
}

/** The worker process of a host: serves its queues until it is told to go. */
import { setTimeout as delay } from 'node:timers/promises';
import { type NativeConnection, Worker, type WorkerInterceptors, type WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import {
  hostActivities,
  hostControlActivities,
  poolActivities,
  poolControlActivities,
  workflowQueueActivities,
} from '../activities/activities.ts';
import { heartbeatInterval } from '../activities/activity-support.ts';
import { ensureSearchAttributes } from '../client/search-attributes.ts';
import { type Conversion, temporalClient, conversion as usual } from '../client/temporal-client.ts';
import { closeTracing, openTracing } from '../client/tracing.ts';
import { unservedSentence, workflowQueueNow } from '../client/workflow-pollers.ts';
import { hostControlQueue, hostQueue, poolControlQueue, poolQueue } from '../contracts/queues.ts';
import { activitySpans } from './activity-spans.ts';
import { ControlWatch } from './control-watch.ts';
import { Devices } from './devices.ts';
import { landed, seenThrough } from './going-down.ts';
import { type Host, openHost } from './host.ts';
import { untilIdle } from './idle-worker.ts';
import type { Launcher } from './launchers/launcher.ts';
import { createLogger, installLogger } from './log.ts';
import { makeWritable } from './machine-folders.ts';
import { type Exposed, exposeMetrics, type MetricsEndpoint } from './metrics-endpoint.ts';
import { connect, type TemporalAddress } from './native-connection.ts';
import { Runs } from './runs.ts';
import { readSettings, type WorkerSettings } from './settings.ts';
import { openSpotSource } from './spot/open-spot-source.ts';
import { SpotWatch } from './spot/spot-watch.ts';
import { takeUpSessions, tellRun } from './take-up.ts';
import { Upkeep } from './upkeep.ts';
import { askToHandOver, takeDataFolder } from './worker-lock.ts';
import { WorkerSignals } from './worker-signals.ts';

export interface StartOptions {
  settings: WorkerSettings;
  log: Logger;
  /** Where the server is; left out, as the standard Temporal environment configuration says. */
  temporal?: TemporalAddress;
  /** Whether this process obeys the signal to hand over. */
  handsOver?: boolean;
  /** What stands between the server and all activities. */
  interceptors?: WorkerInterceptors;
  /** How values travel; as every client of ours has it, unless told otherwise. */
  conversion?: Conversion;
  /** Starts what serves the workflows, where that is to be in this process, too; it goes down with the worker, in its order. */
  control?: () => Promise<Control>;
  /** What else this process counts, for Prometheus. */
  counted?: readonly Exposed[];
  /** How trainers are started, in place of what the settings say. */
  launcher?: Launcher;
}

/** What serves the workflows of runs. */
export interface Control {
  readonly stopped: Promise<void>;
  stop(): Promise<void>;
}

export interface RunningWorker {
  readonly host: Host;
  /** Where Prometheus reads metrics; null: nowhere. */
  readonly metricsAddress: string | null;
  /** Resolves when the worker has stopped; rejects when it failed. */
  readonly stopped: Promise<void>;
  /** Every trainer checkpoints at its batch boundary and its run resumes elsewhere; then the worker stops. `seconds`: after which the machine is gone. */
  drain(seconds?: number): Promise<void>;
  /** What is being opened, stored and published is seen through; then it leaves: its trainers train on, for the next worker to take up. */
  handOver(): Promise<void>;
  /** Every trainer is killed; then the worker stops. */
  stopNow(): Promise<void>;
}

/** How long a trainer may take to its batch boundary when the worker goes down, in seconds. */
const drainSeconds = 60;
/** What is left of a machine's time for storing what the trainers saved; and what they get in any case, both in seconds. */
const storingSeconds = 10;
const leastDrainSeconds = 5;
/** How long what is under way may take when the worker hands over: before its activities are cancelled. */
const handOverSeconds = drainSeconds - 10;
/** How long a worker that starts waits to hear whether its machine is about to be taken away, in milliseconds. */
const spotAnswerMs = 5_000;
const pollers = { type: 'simple-maximum', maximum: 2 } as const;

/**
 * Resolves when every queue is served. Throws when the server does not answer, the data or cache folder cannot be
 * written, or another worker has the data folder.
 */
export async function startWorker(options: StartOptions): Promise<RunningWorker> {
  installLogger(options.log);
  await makeWritable(options.settings.cacheFolder);
  const giveBack = await takeDataFolder(options.settings.dataFolder, { handsOver: options.handsOver ?? false });
  try {
    const worker = await serve(options);
    void worker.stopped.catch(() => undefined).then(giveBack);
    return worker;
  } catch (error) {
    await giveBack();
    throw error;
  }
}

async function serve(options: StartOptions): Promise<RunningWorker> {
  const { settings, log, temporal, conversion = usual } = options;
  const [{ connection, namespace }, devices] = await Promise.all([connect(temporal), Devices.read()]);
  // A run tells its state by them, and would fail on a server that does not know them.
  await ensureSearchAttributes(connection, namespace).catch((error) => log.warn({ err: error }, 'search attributes'));
  const described = await connection.workflowService.describeNamespace({ namespace });
  const namespaceId = described.namespaceInfo?.id || namespace;
  const { workflowQueue } = settings;
  const unserved = async () => unservedSentence(await workflowQueueNow(connection, namespace, workflowQueue));
  const runs = new Runs(temporalClient(connection, namespace, conversion), namespaceId, workflowQueue, log, unserved);
  const host = await openHost(settings, devices, runs, log, options.launcher);
  // Whoever starts serving workflows may become the version that gets them all: a worker that cannot start must not. Nor may one whose
  // control fails to start be left polling.
  let control: Control | null = null;
  let metrics: MetricsEndpoint | null = null;
  try {
    const { metricsAddress } = settings;
    metrics =
      metricsAddress && (await exposeMetrics(metricsAddress, [host.metrics.exposed, ...(options.counted ?? [])]));
    control = (await options.control?.()) ?? null;
    return await serveQueues(host, control, metrics, connection, namespace, options);
  } catch (error) {
    await metrics?.close();
    await control?.stop().catch(() => undefined);
    await connection.close().catch(() => undefined);
    throw error;
  }
}

async function serveQueues(
  host: Host,
  control: Control | null,
  metrics: MetricsEndpoint | null,
  connection: NativeConnection,
  namespace: string,
  { interceptors = {}, conversion = usual }: StartOptions,
): Promise<RunningWorker> {
  const { settings, log, runs } = host;
  const traces = openTracing({ service: 'epochal-worker', onProblem: (problem) => log.warn(problem) });
  const spans = traces ? (activitySpans(traces.tell, host.id).activity ?? []) : [];
  const create = (taskQueue: string, own: Partial<WorkerOptions>) =>
    Worker.create({
      connection,
      namespace,
      taskQueue,
      interceptors: { ...interceptors, activity: [...spans, ...(interceptors.activity ?? [])] },
      ...conversion,
      identity: `epochal:${settings.pool}:${host.id}`,
      // Progress and cancels travel with heartbeats: a long run is watched live, a stop is heard soon.
      maxHeartbeatThrottleInterval: heartbeatInterval,
      defaultHeartbeatThrottleInterval: heartbeatInterval,
      shutdownGraceTime: '2s',
      shutdownForceTime: '20s',
      ...own,
    });
  const workers = await Promise.all([
    // By its polls of this queue, which is that of all pools, a host is known to be there.
    create(settings.workflowQueue, {
      activities: workflowQueueActivities(host),
      activityTaskPollerBehavior: pollers,
    }),
    create(poolQueue(settings.pool), {
      activities: poolActivities(host),
      tuner: {
        activityTaskSlotSupplier: host.slots.poolSlots(),
        workflowTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
        localActivityTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
        nexusTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
      },
      activityTaskPollerBehavior: { type: 'simple-maximum', maximum: 1 },
    }),
    create(poolControlQueue(settings.pool), {
      activities: poolControlActivities(host),
      activityTaskPollerBehavior: pollers,
    }),
    create(hostQueue(host.id), {
      activities: hostActivities(host),
      maxConcurrentActivityTaskExecutions: Math.max(100, host.slots.total * 4),
      // A run that is handed over takes its newest checkpoint along through the store, however large it is.
      shutdownGraceTime: `${drainSeconds}s`,
      shutdownForceTime: `${drainSeconds + 20}s`,
    }),
    create(hostControlQueue(host.id), { activities: hostControlActivities(host), activityTaskPollerBehavior: pollers }),
  ]);
  // Before any work is asked for: a trainer that trains on has its slot.
  const left = await takeUpSessions(host);
  const running = workers.map((worker) => worker.run());
  await Promise.all(left.map((session) => tellRun(host, session)));
  const watch = control === null ? new ControlWatch(runs.whyUnserved, log) : null;
  watch?.start();
  const upkeep = new Upkeep(host);
  upkeep.start();
  log.info(
    { host: host.id, pool: settings.pool, slots: host.slots.total, dataFolder: settings.dataFolder },
    'the worker serves',
  );
  const stopped = Promise.all([...running, control?.stopped])
    .finally(() => host.observers.close())
    .finally(() => metrics?.close())
    .then(() => connection.close());
  stopped.catch(() => undefined);
  let goingDown = false;
  const shutDown = async () => {
    watch?.stop();
    upkeep.stop();
    if (!goingDown) for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    goingDown = true;
    await control?.stop();
    await stopped;
  };
  return {
    host,
    metricsAddress: metrics?.address ?? null,
    stopped,
    drain: async (seconds = Number.POSITIVE_INFINITY) => {
      const { sessions } = host;
      const trained = sessions.runs;
      const began = performance.now();
      const grace = Math.max(leastDrainSeconds, Math.min(drainSeconds, seconds - storingSeconds));
      // Nobody else has the files of a run that ends or publishes now, or next.
      await Promise.all([landed(runs, sessions.own, grace, host), sessions.drain(grace)]);
      const ended = { trained, finished: sessions.finished };
      const secondsLeft = grace - (performance.now() - began) / 1000;
      await seenThrough(runs, ended, { seconds: secondsLeft, servesWorkflows: control !== null, host });
      if (control !== null) {
        // What its runs do next is decided elsewhere: a workflow that it still held would wait for it.
        await control.stop().catch(() => undefined);
        await Promise.all(trained.map((run) => runs.unstick(run)));
      }
      await shutDown();
    },
    handOver: async () => {
      const { sessions, openings, outputs, slots } = host;
      goingDown = true;
      slots.close();
      watch?.stop();
      upkeep.stop();
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      const controlled = control?.stop().catch(() => undefined);
      await Promise.race([Promise.all([openings.idle(), outputs.idle()]), delay(handOverSeconds * 1000)]);
      await controlled;
      if (control !== null) await Promise.all(sessions.runs.map((run) => runs.unstick(run)));
      sessions.leave();
      host.observers.close();
      // Whoever comes next listens there.
      await metrics?.close();
    },
    stopNow: async () => {
      host.sessions.killAll();
      await shutDown();
    },
  };
}

export interface ControlStart {
  settings: WorkerSettings;
  log: Logger;
  /** Aborted by the first signal to go down: a start that hears it throws its reason. */
  signal: AbortSignal;
}

export interface WorkerCommand {
  temporal?: StartOptions['temporal'];
  /** What serves the workflows in this process, too. */
  control?: (options: ControlStart) => Promise<Control>;
  counted?: StartOptions['counted'];
  /** In a batch job: it ends by itself once it has had nothing to do for so many seconds, and obeys the batch system's signals. */
  idleSeconds?: number | undefined;
}

/**
 * `epochal worker`: first SIGTERM or SIGINT drains, the second ends at once; SIGHUP and a spot notice drain; SIGUSR2 hands over. Answers the
 * exit code.
 */
export async function runWorkerUntilSignal(command: WorkerCommand = {}): Promise<number> {
  const { temporal, control, counted = [], idleSeconds } = command;
  const settings = readSettings();
  const log = createLogger();
  const signals = new WorkerSignals(log, { inBatchJob: idleSeconds !== undefined });
  const spot = settings.spot === null ? null : new SpotWatch(openSpotSource(settings.spot, process.env), log);
  // One session's bad luck must not end those of all other runs; what failed is retried by whoever asked for it.
  const onRejection = (error: unknown) => log.error({ err: error }, 'unhandled promise rejection');
  process.on('unhandledRejection', onRejection);
  try {
    const { asked, urged } = signals;
    spot?.start(({ why, seconds }) => signals.ask(why, seconds ?? undefined));
    // Who is started again on a machine that is about to go takes no runs.
    if (await spot?.firstWithin(spotAnswerMs)) return 0;
    const starting = startWorker({
      ...{ settings, log, counted, handsOver: true },
      ...(temporal ? { temporal } : {}),
      ...(control ? { control: () => control({ settings, log, signal: asked }) } : {}),
    });
    const worker = await Promise.race([starting.catch(nullIf(asked)), urged]);
    if (!worker) return signals.exitCode;
    if (idleSeconds !== undefined)
      void untilIdle(worker.host, idleSeconds, asked).then((isIdle) => isIdle && signals.ask('idle'));
    await Promise.race([signals.obeyedBy(worker), signals.urged]);
    return signals.exitCode;
  } finally {
    spot?.stop();
    await closeTracing();
    signals.close();
    process.off('unhandledRejection', onRejection);
  }
}

/** Of a start that ended because the signal was heard. */
const nullIf = (signal: AbortSignal) => (error: unknown) => {
  if (!signal.aborted || error !== signal.reason) throw error;
  return null;
};

/** `epochal worker --handover`. Answers the exit code. */
export async function handOver(): Promise<number> {
  const { dataFolder } = readSettings();
  const say = (line: string) => process.stderr.write(`${line}\n`);
  try {
    const { host, pid } = await askToHandOver(dataFolder);
    say(
      `the worker of host ${host} (process ${pid}) has gone; its trainers train on: start the next worker within deadlines.reattachSeconds`,
    );
    return 0;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

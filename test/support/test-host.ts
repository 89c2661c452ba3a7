/** A real worker for a test: its own pool, data folder and store on the run's real Temporal server. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir, platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Client, Connection, type WorkflowHandle } from '@temporalio/client';
import type { WorkerInterceptors } from '@temporalio/worker';
import { pino } from 'pino';
import { inject } from 'vitest';
import { type Conversion, temporalClient } from '../../client/temporal-client.ts';
import { cacheFolder } from '../../contracts/folders.ts';
import type { Receipt } from '../../contracts/receipt.ts';
import type { RunConfigInput } from '../../contracts/run-config.ts';
import { type RunView, runQuery, type TrainingRunInput, trainingRunType } from '../../contracts/run-messages.ts';
import type { RunMetrics } from '../../server/workflows/run-metrics.ts';
import { type RunningWorker, startWorker } from '../../worker/main.ts';
import type { WorkerSettings } from '../../worker/settings.ts';
import { until } from './until.ts';
import { startWorkerWithControl } from './worker-with-control.ts';

const testTrainers = fileURLToPath(new URL('../trainers', import.meta.url));
const builtInTrainers = fileURLToPath(new URL('../../trainers', import.meta.url));

export interface TestHostOptions {
  slots?: number;
  pool?: string;
  store?: string;
  settings?: Partial<WorkerSettings>;
  interceptors?: WorkerInterceptors;
  conversion?: Conversion;
  /** Counts what its runs do. */
  metrics?: RunMetrics;
  /** `none`: the worker alone; whoever tests that serves the workflows. */
  control?: 'none';
  /** Of a Temporal server other than the one of the test run. */
  address?: string;
}

export class TestHost {
  private constructor(
    readonly client: Client,
    readonly connection: Connection,
    readonly settings: WorkerSettings,
    public worker: RunningWorker,
  ) {}

  static async start(options: TestHostOptions = {}): Promise<TestHost> {
    const address = options.address ?? inject('temporalAddress');
    const connection = await Connection.connect({ address });
    const dataFolder = await mkdtemp(join(tmpdir(), 'epochal-test-'));
    const settings: WorkerSettings = {
      dataFolder,
      cacheFolder: cacheFolder({ env: process.env, platform: platform(), home: homedir() }),
      store: options.store ?? join(dataFolder, 'store'),
      pool: options.pool ?? `pool-${randomUUID().slice(0, 8)}`,
      slots: options.slots ?? 1,
      trainersFolders: [testTrainers, builtInTrainers],
      dataSetsFolders: [join(dataFolder, 'data-sets')],
      // What tests make themselves is in the folder for temporary files.
      allowedPaths: [tmpdir(), testTrainers, builtInTrainers],
      allowedStores: [],
      superviselyProjects: [],
      workflowQueue: `workflows-${randomUUID().slice(0, 8)}`,
      sessionIdleSeconds: 300,
      keptDays: 0,
      keptFreeBytes: 0,
      upkeepSeconds: 600,
      hostReturnSeconds: 300,
      metricsAddress: null,
      webhook: null,
      notify: null,
      containers: null,
      trackers: [],
      spot: null,
      ...options.settings,
    };
    const { interceptors = {}, conversion, metrics } = options;
    const converting = conversion ? { conversion } : {};
    const start = options.control === 'none' ? startWorker : startWorkerWithControl;
    const worker = await start({
      settings,
      log: testLog(),
      temporal: { address },
      interceptors,
      ...converting,
      ...(metrics ? { metrics } : {}),
    });
    return new TestHost(temporalClient(connection, undefined, conversion), connection, settings, worker);
  }

  async stop(): Promise<void> {
    await this.worker.stopNow();
    await this.connection.close();
    await rm(this.settings.dataFolder, { recursive: true, force: true });
  }

  /** A configuration for the counting trainer, quick unless told otherwise. */
  config(config: Partial<RunConfigInput> = {}): RunConfigInput {
    return { trainer: 'counter', epochs: 3, pool: this.settings.pool, ...config };
  }

  async start(
    config: RunConfigInput,
    options: { draft?: boolean; run?: string; origin?: TrainingRunInput['origin'] } = {},
  ): Promise<TestRun> {
    const { draft = false, origin } = options;
    const input: TrainingRunInput = { config, draft, ...(origin ? { origin } : {}) };
    const handle = await this.client.workflow.start<(...args: unknown[]) => Promise<Receipt>>(trainingRunType, {
      workflowId: options.run ?? `run-${randomUUID().slice(0, 8)}`,
      taskQueue: this.settings.workflowQueue,
      args: [input],
    });
    return new TestRun(handle);
  }
}

/** Warnings of the worker are noise where faults are made on purpose; LOG_LEVEL brings them back. */
export const testLog = () => pino({ level: process.env.LOG_LEVEL ?? 'fatal' }, pino.destination(2));

export class TestRun {
  constructor(readonly handle: WorkflowHandle<(...args: unknown[]) => Promise<Receipt>>) {}

  get id(): string {
    return this.handle.workflowId;
  }

  view(): Promise<RunView> {
    return this.handle.query<RunView>(runQuery);
  }

  /** Waits for a view that satisfies the condition; the last one seen is in the error. */
  async until(what: string, condition: (view: RunView) => boolean, seconds = 240): Promise<RunView> {
    let last: RunView | undefined;
    return until(
      `${this.id}: ${what}`,
      async () => {
        last = await this.view();
        return condition(last) ? last : null;
      },
      seconds,
      () => JSON.stringify({ detail: last?.detail, position: last?.position, events: last?.events }),
    );
  }

  update(name: string, ...args: unknown[]): Promise<RunView> {
    return this.handle.executeUpdate(name, { args: args as [] }) as Promise<RunView>;
  }

  result(): Promise<Receipt> {
    return this.handle.result();
  }
}

export async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, 'utf8'));
}

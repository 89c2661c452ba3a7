/** Workers as real processes, with data folders of their own, one store and one pool: to be killed, drained, cut off. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir, platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { z } from 'zod';
import { cacheFolder } from '../../contracts/folders.ts';
import { type HostStatus, hostStatusSchema } from '../../contracts/host-messages.ts';
import { hostControlQueue } from '../../contracts/queues.ts';
import type { RunConfigInput } from '../../contracts/run-config.ts';
import { type TrainingRunInput, trainingRunType } from '../../contracts/run-messages.ts';
import type { MlflowServer } from '../observers/servers/mlflow-ready.ts';
import { until } from '../support/until.ts';
import { FaultRun } from './fault-run.ts';
import { Hold } from './hold.ts';
import { isContained, launcherVariables, openToTrainers } from './launched.ts';

const entry = fileURLToPath(new URL('./worker-process.ts', import.meta.url));
const testTrainers = fileURLToPath(new URL('../trainers', import.meta.url));

/**
 * A machine that is slow at the wrong moment is not a fault of the host, and a trainer that waits for its test does not hang;
 * a test of either has limits of its own.
 */
const patient = { heartbeatSeconds: 60, hangFloorSeconds: 600 };

/** Several workers on one pool and one store, and a client to start runs with. */
export class FaultHosts {
  readonly pool = `pool-${randomUUID().slice(0, 8)}`;
  readonly workflowQueue = `workflows-${randomUUID().slice(0, 8)}`;
  readonly workers: FaultWorker[] = [];
  readonly runs: FaultRun[] = [];

  private constructor(
    readonly folder: string,
    readonly address: string,
    readonly connection: Connection,
    readonly client: Client,
    readonly store: string,
    /** Where a disk has what is at an address of a store: a server of buckets may have them in a folder. */
    readonly onDisk: (address: string) => string,
    /** Whom its runs are told to. */
    readonly mlflow: MlflowServer | null,
  ) {}

  /** `store`: one that others have, too, instead of one of their own. */
  static async open(
    address: string,
    options: {
      namespace?: string;
      store?: string;
      onDisk?: (address: string) => string;
      mlflow?: MlflowServer | null;
    } = {},
  ): Promise<FaultHosts> {
    const { namespace = 'default' } = options;
    const connection = await Connection.connect({ address });
    const folder = await mkdtemp(join(tmpdir(), 'epochal-faults-'));
    await openToTrainers(folder);
    const client = new Client({ connection, namespace });
    const { store = join(folder, 'store'), onDisk = (at) => at, mlflow = null } = options;
    return new FaultHosts(folder, address, connection, client, store, onDisk, mlflow);
  }

  /** Of data folders: trainers in containers are given the other one, and none of these. */
  get hostsFolder(): string {
    return isContained ? `${this.folder}-hosts` : this.folder;
  }

  /** Starts a worker with a data folder of its own, and returns once it serves. */
  async worker(options: WorkerOptions = {}): Promise<FaultWorker> {
    const worker = new FaultWorker(this, join(this.hostsFolder, `host-${this.workers.length + 1}`), options);
    this.workers.push(worker);
    await worker.start();
    return worker;
  }

  /** Places for a run's trainer to wait in; its `parameters` belong into the run's configuration. */
  hold(...places: string[]): Promise<Hold> {
    return Hold.at(this.folder, places);
  }

  /** Starts a run of the counting trainer. `place`: where its files are, by its first execution, when not under its id. */
  async start(
    config: Partial<RunConfigInput>,
    options: { draft?: boolean; run?: string; place?: (firstExecution: string) => string } = {},
  ): Promise<FaultRun> {
    const whole: RunConfigInput = { trainer: 'counter', epochs: 3, pool: this.pool, ...config };
    whole.deadlines = { ...patient, ...config.deadlines };
    // What a fault costs is counted from checkpoints, which happen when a test says so; who tests snapshots asks for them.
    whole.checkpoints = { snapshots: 'off', ...config.checkpoints };
    const input: TrainingRunInput = { config: whole, draft: options.draft ?? false };
    const handle = await this.client.workflow.start(trainingRunType, {
      workflowId: options.run ?? `run-${randomUUID().slice(0, 8)}`,
      taskQueue: this.workflowQueue,
      args: [input],
    });
    const run = new FaultRun(handle, whole, this, options.place?.(handle.firstExecutionRunId));
    this.runs.push(run);
    return run;
  }

  /** As clients ask for it. */
  async watch(host: string, run: string): Promise<number> {
    const answer = await this.client.activity.execute('watchRun', {
      id: `watch-${randomUUID()}`,
      taskQueue: hostControlQueue(host),
      scheduleToCloseTimeout: '10s',
      args: [run],
    });
    return z.number().parse(answer);
  }

  async close(): Promise<void> {
    for (const worker of this.workers) await worker.kill();
    await this.connection.close();
    // EPOCHAL_KEEP_FAULTS leaves everything for a person to look at.
    if (!process.env.EPOCHAL_KEEP_FAULTS) {
      // Supervisors whose worker was killed may be writing their last file.
      for (const folder of new Set([this.folder, this.hostsFolder]))
        await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    }
  }
}

export interface LaunchOptions {
  env?: Record<string, string>;
  /** Put before the command line of the worker: `ip netns exec name`. */
  prefix?: string[];
}

export interface WorkerOptions extends LaunchOptions {
  slots?: number;
  /** Where the server is for this worker. */
  address?: string;
  dataFolder?: string;
}

export class FaultWorker {
  readonly dataFolder: string;
  #child: ChildProcess | null = null;
  #exited: Promise<number | null> = Promise.resolve(null);
  #host: string | null = null;

  constructor(
    private readonly hosts: FaultHosts,
    folder: string,
    private readonly options: WorkerOptions,
  ) {
    this.dataFolder = options.dataFolder ?? folder;
  }

  /** Only after it served once. */
  get host(): string {
    if (this.#host === null) throw new Error('the worker has never served');
    return this.#host;
  }

  get isAlive(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Resolves with the exit code when the process has ended. */
  get exited(): Promise<number | null> {
    return this.#exited;
  }

  get log(): string {
    return join(this.hosts.folder, `worker-${this.hosts.workers.indexOf(this) + 1}.log`);
  }

  /** `other`: what is different this time. */
  async start(other?: LaunchOptions): Promise<void> {
    await this.launch(other);
    await this.served();
  }

  /** Starts the process, without waiting for it to serve. */
  async launch(other: LaunchOptions = {}): Promise<void> {
    if (this.isAlive) throw new Error('the worker runs already');
    await mkdir(this.dataFolder, { recursive: true });
    const log = openSync(this.log, 'a');
    const [program = process.execPath, ...args] = [
      ...(other.prefix ?? this.options.prefix ?? []),
      ...[process.execPath, '--import', 'tsx', entry],
    ];
    const child = spawn(program, args, {
      env: {
        ...process.env,
        EPOCHAL_DATA_DIR: this.dataFolder,
        EPOCHAL_CACHE_DIR: cacheFolder({ env: process.env, platform: platform(), home: homedir() }),
        EPOCHAL_STORE: this.hosts.store,
        EPOCHAL_POOL: this.hosts.pool,
        EPOCHAL_SLOTS: String(this.options.slots ?? 1),
        EPOCHAL_TRAINERS: testTrainers,
        EPOCHAL_ALLOWED_PATHS: tmpdir(),
        EPOCHAL_WORKFLOW_QUEUE: this.hosts.workflowQueue,
        EPOCHAL_UPKEEP_SECONDS: '2',
        TEMPORAL_ADDRESS: this.options.address ?? this.hosts.address,
        LOG_LEVEL: process.env.LOG_LEVEL ?? 'info',
        ...launcherVariables(this.hosts.folder),
        ...(this.hosts.mlflow && { EPOCHAL_TRACKERS: 'mlflow', ...this.hosts.mlflow.environment }),
        ...this.options.env,
        ...other.env,
      },
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    this.#child = child;
    this.#exited = once(child, 'exit').then(([code]) => (typeof code === 'number' ? code : null));
  }

  /** Returns once its queues are served. */
  async served(): Promise<void> {
    await until(
      'the worker has its id',
      () => {
        if (!this.isAlive) throw new Error(`the worker ended before it served; its log is in ${this.hosts.folder}`);
        return existsSync(join(this.dataFolder, 'host.json'));
      },
      180,
    );
    const { host } = z.object({ host: z.string() }).parse(await readJson(join(this.dataFolder, 'host.json')));
    this.#host = host;
    await this.status();
  }

  /** The host's own word, which takes a worker that serves. */
  async status(): Promise<HostStatus> {
    return hostStatusSchema.parse(
      await this.hosts.client.activity.execute('hostStatus', {
        id: `status-${randomUUID()}`,
        taskQueue: hostControlQueue(this.host),
        scheduleToCloseTimeout: '180s',
        startToCloseTimeout: '2s',
        retry: { initialInterval: '100ms', backoffCoefficient: 1 },
      }),
    );
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** SIGKILL to the worker alone; its trainers live on for as long as they like. */
  async kill(): Promise<void> {
    if (!this.isAlive) return;
    this.signal('SIGKILL');
    await this.#exited;
  }

  runFolder(run: string): string {
    return join(this.dataFolder, 'runs', run);
  }
}

export async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, 'utf8'));
}

/** A server and a worker of their own for a benchmark, as real processes, and a client to drive them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { workflowQueue } from '../contracts/queues.ts';
import type { Receipt } from '../contracts/receipt.ts';
import type { RunConfigInput } from '../contracts/run-config.ts';
import { type RunView, runQuery, type TrainingRunInput, trainingRunType } from '../contracts/run-messages.ts';
import { ensureTemporalBinary } from '../launch/temporal-binary.ts';
import { startTemporalServer, type TemporalServer } from '../launch/temporal-server.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const pool = 'bench';

export type BenchRun = WorkflowHandle<(...args: unknown[]) => Promise<Receipt>>;

export class BenchHost {
  private constructor(
    readonly folder: string,
    readonly server: TemporalServer,
    readonly connection: Connection,
    readonly client: Client,
    readonly worker: ChildProcess,
  ) {}

  /** `environment` is added to that of the worker, and so to its trainers'; `nodeOptions` are those of the worker alone. */
  static async start(
    slots: number,
    environment: NodeJS.ProcessEnv = {},
    nodeOptions: readonly string[] = [],
  ): Promise<BenchHost> {
    const folder = await mkdtemp(join(tmpdir(), 'epochal-bench-'));
    const { path: binary } = await ensureTemporalBinary();
    const server = await startTemporalServer({
      binary,
      logFile: join(folder, 'temporal.log'),
      databaseFile: join(folder, 'temporal.db'),
      ui: false,
    });
    const connection = await Connection.connect({ address: server.address });
    const log = openSync(join(folder, 'worker.log'), 'a');
    const worker = spawn(
      process.execPath,
      [...nodeOptions, join(root, 'bin', 'epochal.mjs'), 'worker', '--with-control'],
      {
        env: {
          ...process.env,
          TEMPORAL_ADDRESS: server.address,
          EPOCHAL_DATA_DIR: join(folder, 'data'),
          EPOCHAL_STORE: join(folder, 'store'),
          EPOCHAL_POOL: pool,
          // The data sets of a benchmark are in folders of its own.
          EPOCHAL_ALLOWED_PATHS: '*',
          EPOCHAL_SLOTS: String(slots),
          EPOCHAL_TRAINERS: [join(root, 'test', 'trainers'), join(root, 'trainers')].join(delimiter),
          ...environment,
        },
        stdio: ['ignore', log, log],
      },
    );
    closeSync(log);
    // A benchmark that is broken off leaves no worker behind; the server ends by itself.
    process.once('exit', () => worker.kill('SIGKILL'));
    const host = new BenchHost(folder, server, connection, new Client({ connection }), worker);
    try {
      // The worker is up, and its Python environment is there, before anything is measured.
      await (await host.train({ trainer: 'counter', epochs: 1 })).result();
    } catch (error) {
      await host.stop();
      throw error;
    }
    return host;
  }

  get store(): string {
    return join(this.folder, 'store');
  }

  async stop(): Promise<void> {
    const ended = once(this.worker, 'exit');
    this.worker.kill('SIGTERM');
    await ended;
    await this.connection.close();
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  train(config: Omit<RunConfigInput, 'pool'>): Promise<BenchRun> {
    const input: TrainingRunInput = { config: { ...config, pool } };
    return this.client.workflow.start<(...args: unknown[]) => Promise<Receipt>>(trainingRunType, {
      workflowId: `bench-${randomUUID().slice(0, 8)}`,
      taskQueue: workflowQueue,
      args: [input],
    });
  }

  /** Waits until the run trains, and answers its view. */
  async training(run: BenchRun): Promise<RunView> {
    for (;;) {
      const view = await run.query<RunView>(runQuery);
      if (view.detail === 'training.epoch' && view.session) return view;
      if (view.state === 'stopped')
        throw new Error(`${run.workflowId} ended before it trained: ${view.problems.join('; ')}`);
      await delay(20);
    }
  }

  /** Resident memory of the worker process in MiB, now; null where it cannot be read. */
  async workerMemory(): Promise<number | null> {
    const status = await readFile(`/proc/${this.worker.pid}/status`, 'utf8').catch(() => '');
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
    return kibibytes ? Math.round(Number(kibibytes) / 1024) : null;
  }
}

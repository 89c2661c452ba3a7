/** Everything at once for the browser: a Temporal server with its UI, a worker, the HTTP server with the built web, Chromium. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { pino } from 'pino';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { Connected } from '../../client/connect.ts';
import { lastingConnection } from '../../client/lasting-connection.ts';
import type { Health, RunDetails } from '../../contracts/http-answers.ts';
import type { RunConfigInput } from '../../contracts/run-config.ts';
import { ensureBuiltWeb } from '../../launch/build-web.ts';
import { ensureTemporalBinary } from '../../launch/temporal-binary.ts';
import { type ServerOptions, startTemporalServer, type TemporalServer } from '../../launch/temporal-server.ts';
import { type RunningServer, startServer } from '../../server/main.ts';
import type { ServerSettings } from '../../server/settings.ts';
import { until } from '../support/until.ts';
import { launchChromium } from './chromium.ts';

const workerEntry = fileURLToPath(new URL('../faults/worker-process.ts', import.meta.url));
const testTrainers = fileURLToPath(new URL('../trainers', import.meta.url));
const pool = 'gpu';
/** A request that failed for a reason of ours is told, with its stack: a browser only knows that it was a 500. */
const quiet = () => pino({ level: process.env.LOG_LEVEL ?? 'error' }, pino.destination(2));

export interface StageOptions {
  /** 0: no worker at all. */
  slots?: number;
  /** Of its own, unless given. */
  dataFolder?: string;
  store?: string;
  dataSets?: string;
}

export class Stage {
  /** What pages wrote to their consoles as errors, errors that nobody caught, and what was fetched from elsewhere. */
  readonly consoleErrors: string[] = [];
  readonly dataFolder: string;
  readonly store: string;
  readonly dataSets: string;
  #worker: ChildProcess | null = null;

  private constructor(
    readonly folder: string,
    readonly options: StageOptions,
    readonly temporalOptions: ServerOptions,
    public temporal: TemporalServer,
    readonly server: RunningServer,
    readonly browser: Browser,
  ) {
    this.dataFolder = options.dataFolder ?? join(folder, 'data');
    this.store = options.store ?? join(folder, 'store');
    this.dataSets = options.dataSets ?? join(folder, 'data-sets');
  }

  static async start(options: StageOptions = {}): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'epochal-web-'));
    const webFolder = await ensureBuiltWeb();
    const { path: binary } = await ensureTemporalBinary({ onProgress: () => undefined });
    const temporalOptions = {
      binary,
      logFile: join(folder, 'temporal.log'),
      databaseFile: join(folder, 'temporal.db'),
      ui: true,
    };
    const temporal = await startTemporalServer(temporalOptions);
    const server = await serverOn(temporal, webFolder, {});
    const stage = new Stage(folder, options, temporalOptions, temporal, server, await launchChromium());
    await mkdir(stage.dataFolder, { recursive: true });
    if (options.slots !== 0) await stage.startWorker();
    return stage;
  }

  /** One more, with settings of its own; whoever starts it stops it. */
  async startServer(settings: Partial<ServerSettings>): Promise<RunningServer> {
    return serverOn(this.temporal, await ensureBuiltWeb(), settings);
  }

  get address(): string {
    return this.server.address;
  }

  /** A process of its own, as on a host; returns once it answers. */
  async startWorker(): Promise<void> {
    const log = openSync(join(this.folder, 'worker.log'), 'a');
    this.#worker = spawn(process.execPath, ['--import', 'tsx', workerEntry], {
      env: {
        ...process.env,
        TEMPORAL_ADDRESS: this.temporal.address,
        EPOCHAL_DATA_DIR: this.dataFolder,
        EPOCHAL_STORE: this.store,
        EPOCHAL_POOL: pool,
        EPOCHAL_SLOTS: String(this.options.slots ?? 1),
        EPOCHAL_TRAINERS: testTrainers,
        EPOCHAL_DATA_SETS: [this.dataSets].join(delimiter),
        LOG_LEVEL: process.env.LOG_LEVEL ?? 'info',
      },
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    await until(
      'the worker answers',
      async () => (await this.ask<Health>('/api/health')).workers.length > 0,
      180,
      () => `its log is ${join(this.folder, 'worker.log')}`,
    );
  }

  /** SIGKILL to the worker alone. */
  killWorker(): Promise<void> {
    return this.#endWorker('SIGKILL');
  }

  /** The Temporal server goes, as in a power cut of its machine. */
  async stopTemporal(): Promise<void> {
    await this.temporal.stop();
  }

  /** At the same address, with the same database. */
  async startTemporal(): Promise<void> {
    const port = Number(new URL(`http://${this.temporal.address}`).port);
    this.temporal = await startTemporalServer({ ...this.temporalOptions, ui: false, port });
  }

  /** A page of its own context, with its console listened to. */
  async page(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.browser.newContext({
      baseURL: this.address,
      viewport: { width: 1280, height: 900 },
      // On a busy machine what is clicked would move on between the mouse's down and up.
      reducedMotion: 'reduce',
      ...options,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(120_000);
    page.on('console', (message) => {
      // A network interface of the machine that comes or goes is nobody's error here.
      if (message.text().includes('ERR_NETWORK_CHANGED')) return;
      if (message.type() === 'error')
        this.consoleErrors.push(`${page.url()}: ${message.text()} (${message.location().url})`);
    });
    page.on('pageerror', (error) => this.consoleErrors.push(`${page.url()}: ${error.message}`));
    page.on('request', (request) => {
      const isOurs = request.url().startsWith(this.address) || /^(data|blob):/.test(request.url());
      if (!isOurs && page.url().startsWith(this.address) && !request.isNavigationRequest())
        this.consoleErrors.push(`${page.url()}: fetched ${request.url()}`);
    });
    return page;
  }

  /** Closes every page, and answers what went wrong on them. */
  async closePages(): Promise<string[]> {
    await Promise.all(this.browser.contexts().map((context) => context.close()));
    return this.consoleErrors.splice(0);
  }

  /** A GET, or a POST where there is a body. Throws for a refusal. */
  async ask<T>(path: string, body?: object): Promise<T> {
    const response = await fetch(this.address + path, {
      ...(body === undefined
        ? {}
        : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  async train(config: RunConfigInput): Promise<string> {
    return (await this.ask<{ run: string }>('/api/runs', { config })).run;
  }

  details(run: string): Promise<RunDetails> {
    return this.ask(`/api/runs/${run}`);
  }

  inDetail(run: string, detail: string): Promise<unknown> {
    let last: RunDetails | undefined;
    return until(
      `${run} is in ${detail}`,
      async () => {
        last = await this.details(run);
        // It is over only when its observers have been told that it has landed.
        const isOver = last.summary.workflowStatus !== 'running';
        return last.view?.detail === detail && (isOver || detail !== 'stopped');
      },
      240,
      () => JSON.stringify(last?.view?.events ?? last?.summary),
    );
  }

  atEpoch(run: string, epoch: number): Promise<unknown> {
    const reached = async () => ((await this.details(run)).view?.position.epoch ?? 0) >= epoch;
    return until(`${run} is past epoch ${epoch}`, reached, 240);
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await this.#endWorker('SIGTERM');
    await this.server.stop();
    await this.temporal.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #endWorker(signal: NodeJS.Signals): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    if (!worker || worker.exitCode !== null || worker.signalCode !== null) return;
    const ended = once(worker, 'exit');
    worker.kill(signal);
    const impatient = setTimeout(() => worker.kill('SIGKILL'), 60_000);
    await ended;
    clearTimeout(impatient);
  }
}

const serverOn = (temporal: TemporalServer, webFolder: string, settings: Partial<ServerSettings>) =>
  startServer({
    settings: {
      address: '127.0.0.1',
      port: 0,
      token: { kind: 'none' },
      metricsToken: null,
      tls: null,
      // Of no use where no token is asked for.
      dataFolder: join(temporal.logFile, '..'),
      hostNames: [],
      proxies: 0,
      requestsPerMinute: 1_000_000,
      workflowQueue: 'epochal',
      defaultPool: pool,
      logLevel: 'silent',
      ...settings,
    },
    log: quiet(),
    connect: () => connected(temporal),
    webFolder,
  });

async function connected({ address, ui }: TemporalServer): Promise<Connected> {
  const connection = await Connection.connect({
    address,
    ...lastingConnection,
  });
  return {
    client: new Client({ connection }),
    address,
    namespace: 'default',
    ui,
    isConfigured: true,
    close: () => connection.close(),
  };
}

/** Everything at once for the browser: a Temporal server with its UI, a worker, the HTTP server with the built web, Chromium. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { homedir, platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { pino } from 'pino';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import type { Connected } from '../../client/connect.ts';
import { cacheFolder } from '../../contracts/folders.ts';
import { ensureBuiltWeb } from '../../launch/build-web.ts';
import { ensureTemporalBinary } from '../../launch/temporal-binary.ts';
import { startTemporalServer, type TemporalServer } from '../../launch/temporal-server.ts';
import { type RunningServer, startServer } from '../../server/main.ts';
import { type RunningWorker, startWorker } from '../../worker/main.ts';
import type { WorkerSettings } from '../../worker/settings.ts';

const testTrainers = fileURLToPath(new URL('../trainers', import.meta.url));
const builtInTrainers = fileURLToPath(new URL('../../trainers', import.meta.url));
const chromiumFlags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const quiet = () => pino({ level: process.env.LOG_LEVEL ?? 'fatal' }, pino.destination(2));

export class Stage {
  /** What pages wrote to their consoles as errors, and errors that nobody caught. */
  readonly consoleErrors: string[] = [];

  private constructor(
    readonly folder: string,
    readonly settings: WorkerSettings,
    readonly temporal: TemporalServer,
    readonly server: RunningServer,
    readonly browser: Browser,
    public worker: RunningWorker | null,
  ) {}

  static async start(changes: Partial<WorkerSettings> = {}): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'epochal-web-'));
    const webFolder = await ensureBuiltWeb();
    const { path: binary } = await ensureTemporalBinary({ onProgress: () => undefined });
    const temporal = await startTemporalServer({ binary, logFile: join(folder, 'temporal.log'), ui: true });
    const settings: WorkerSettings = {
      dataFolder: join(folder, 'data'),
      cacheFolder: cacheFolder({ env: process.env, platform: platform(), home: homedir() }),
      store: join(folder, 'store'),
      pool: 'gpu',
      slots: 1,
      trainersFolders: [testTrainers, builtInTrainers],
      dataSetsFolders: [join(folder, 'data-sets')],
      workflowQueue: 'epochal',
      sessionIdleSeconds: 300,
      keptDays: 0,
      keptFreeBytes: 0,
      upkeepSeconds: 600,
      ...changes,
    };
    await mkdir(settings.dataFolder, { recursive: true });
    const server = await startServer({
      settings: {
        address: '127.0.0.1',
        port: 0,
        token: null,
        hostNames: [],
        proxies: 0,
        requestsPerMinute: 1_000_000,
        workflowQueue: settings.workflowQueue,
        defaultPool: settings.pool,
        logLevel: 'silent',
      },
      log: quiet(),
      connect: () => connected(temporal),
      webFolder,
    });
    const browser = await chromium.launch({
      executablePath: process.env.EPOCHAL_CHROMIUM ?? '/usr/bin/chromium',
      args: chromiumFlags,
    });
    const stage = new Stage(folder, settings, temporal, server, browser, null);
    await stage.startWorker();
    return stage;
  }

  async startWorker(): Promise<void> {
    this.worker = await startWorker({
      settings: this.settings,
      log: quiet(),
      temporal: { address: this.temporal.address },
    });
  }

  async stopWorker(): Promise<void> {
    await this.worker?.stopNow();
    this.worker = null;
  }

  /** A page of its own context, with its console listened to. */
  async page(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.browser.newContext({
      baseURL: this.server.address,
      viewport: { width: 1280, height: 900 },
      ...options,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    page.on('console', (message) => {
      // A network interface of the machine that comes or goes is nobody's error here.
      if (message.text().includes('ERR_NETWORK_CHANGED')) return;
      if (message.type() === 'error') this.consoleErrors.push(`${page.url()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => this.consoleErrors.push(`${page.url()}: ${error.message}`));
    return page;
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await this.stopWorker();
    await this.server.stop();
    await this.temporal.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function connected({ address, ui }: TemporalServer): Promise<Connected> {
  const connection = await Connection.connect({ address });
  return {
    client: new Client({ connection }),
    address,
    namespace: 'default',
    ui,
    isConfigured: true,
    close: () => connection.close(),
  };
}

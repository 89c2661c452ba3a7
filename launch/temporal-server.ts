/**
 * Starts `temporal server start-dev` and ends it: with the process that started it, however that one ends.
 *
 * The server runs in a session of its own, so that Ctrl-C in a terminal reaches the launcher alone, which has its
 * worker drained before the server goes. `keep-server.sh` holds the reading end of a pipe whose writing end only the
 * launcher has: its end-of-file, by closing it or by the death of the launcher, ends the server.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Connection } from '@temporalio/client';
import { searchAttributes } from '../contracts/search-attributes.ts';

const keeper = fileURLToPath(new URL('./keep-server.sh', import.meta.url));

export interface ServerOptions {
  /** The `temporal` program. */
  binary: string;
  /** Written by the server; made with its folder. */
  logFile: string;
  /** Keeps runs across restarts; left out, everything is in memory. */
  databaseFile?: string;
  /** Ports to try first; others are taken where one is in use. */
  port?: number;
  uiPort?: number;
  /** Also serve the web UI. */
  ui: boolean;
  namespace?: string;
  startTimeoutMs?: number;
  /** More of the server's dynamic configuration, as `key=value`. */
  dynamicConfig?: readonly string[];
}

export interface TemporalServer {
  /** `127.0.0.1:7233` */
  address: string;
  /** `http://127.0.0.1:8233`, or null when it is headless. */
  ui: string | null;
  /** Of the server itself. */
  pid: number;
  logFile: string;
  /** Resolves when the server has ended, whoever ended it. */
  ended: Promise<void>;
  /** Ends the server and waits for its end; the database file is whole then. A second call waits, too. */
  stop(): Promise<void>;
}

export class TemporalServerError extends Error {
  override readonly name = 'TemporalServerError';

  constructor(
    message: string,
    /** Another process had one of its ports before it. */
    readonly portWasTaken: boolean,
    options: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Cancels reach a worker at once instead of with its next heartbeat. A server that does not know them ignores them. */
const dynamicConfig = ['frontend.WorkerCommandsEnabled=true', 'system.enableCancelActivityWorkerCommand=true'];

const stopGraceSeconds = 10;

/** A port is free when it is chosen and may be somebody's by the time the server listens: then others are chosen. */
const attempts = 3;

/** Returns once the server answers and has Epochal's search attributes. */
export async function startTemporalServer(options: ServerOptions): Promise<TemporalServer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(options);
    } catch (error) {
      if (attempt === attempts || !(error instanceof TemporalServerError) || !error.portWasTaken) throw error;
    }
  }
}

async function startOnce(options: ServerOptions): Promise<TemporalServer> {
  const port = await freePort(options.port);
  const uiPort = options.ui ? await freePort(options.uiPort, port) : undefined;
  const args = [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port)],
    ...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)]),
    ...(options.databaseFile === undefined ? [] : ['--db-filename', options.databaseFile]),
    ...(options.namespace === undefined ? [] : ['--namespace', options.namespace]),
    ...Object.entries(searchAttributes).flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
    ...[...dynamicConfig, ...(options.dynamicConfig ?? [])].flatMap((value) => ['--dynamic-config-value', value]),
    ...['--log-level', 'warn', '--log-format', 'json'],
  ];
  await mkdir(dirname(options.logFile), { recursive: true });
  if (options.databaseFile !== undefined) await mkdir(dirname(options.databaseFile), { recursive: true });
  const logged = (await stat(options.logFile).catch(() => null))?.size ?? 0;
  const log = openSync(options.logFile, 'a');
  const child = spawn('/bin/sh', [keeper, String(stopGraceSeconds), options.binary, ...args], {
    stdio: ['pipe', 'pipe', log],
    detached: true,
  });
  closeSync(log);
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
  const stop = async () => {
    child.ref();
    child.stdin?.end();
    await ended;
  };
  // A server that outlives an error of ours is ended by the end of this process; this one must not wait for it.
  child.stdin?.on('error', () => {});
  child.unref();

  const address = `127.0.0.1:${port}`;
  try {
    const pid = await firstLine(child);
    await untilItAnswers(address, ended, options.startTimeoutMs ?? 60_000);
    return {
      address,
      ui: uiPort === undefined ? null : `http://127.0.0.1:${uiPort}`,
      pid: Number(pid),
      logFile: options.logFile,
      ended,
      stop,
    };
  } catch (error) {
    await stop();
    const said = (await readFile(options.logFile).catch(() => Buffer.alloc(0))).subarray(logged).toString();
    throw new TemporalServerError(
      `the Temporal server did not start: ${error instanceof Error ? error.message : error}\n${lastWords(said)}`,
      said.includes('address already in use'),
      { cause: error },
    );
  }
}

/** The end of its log, without the stacks of a panic. */
function lastWords(log: string): string {
  const [words = ''] = log.split('\ngoroutine ', 1);
  return words.trim().split('\n').slice(-5).join('\n');
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of child.stdout ?? []) text += String(chunk);
  if (!/^\d+\n$/.test(text)) throw new Error('its process could not be started');
  return text.trim();
}

async function untilItAnswers(address: string, ended: Promise<void>, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  for (;;) {
    try {
      const connection = await Connection.connect({ address, connectTimeout: 2_000 });
      try {
        const registered = await connection.withDeadline(Date.now() + 2_000, () =>
          connection.operatorService.listSearchAttributes({ namespace: 'default' }),
        );
        const missing = Object.keys(searchAttributes).filter(
          (name) => registered.customAttributes?.[name] === undefined,
        );
        if (missing.length === 0) return;
      } finally {
        await connection.close();
      }
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    if (isOver) throw new Error('it exited at once');
    if (Date.now() > deadline) throw new Error(`it did not answer within ${timeoutMs / 1000} s`);
    await delay(50);
  }
}

/** `wanted` where it is free on the loopback, else any. */
async function freePort(wanted = 0, except?: number): Promise<number> {
  for (const port of wanted === 0 || wanted === except ? [0] : [wanted, 0]) {
    const found = await new Promise<number | null>((resolve) => {
      const probe = createServer();
      probe.once('error', () => resolve(null));
      probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
        const address = probe.address();
        probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : null));
      });
    });
    if (found !== null && found !== except) return found;
  }
  return freePort(0, except);
}

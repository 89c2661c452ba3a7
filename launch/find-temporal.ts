/**
 * The Temporal server for this machine, in this order: the one that the standard Temporal environment configuration
 * names (TEMPORAL_ADDRESS, a profile of temporal.toml); one that Epochal started and that still answers; a dev
 * server that is started now, with its database in the data folder.
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection, type ConnectionOptions } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { z } from 'zod';
import { isAlive } from '../server/is-alive.ts';
import { lockFile } from '../worker/file-lock.ts';
import { makePrivate } from '../worker/private-folder.ts';
import { findPython } from '../worker/python-tools.ts';
import { runProgram } from '../worker/run-program.ts';
import { ensureTemporalBinary } from './temporal-binary.ts';
import { startTemporalServer, type TemporalServer } from './temporal-server.ts';

/** `<data folder>/temporal.json`: how the command line finds a server that `epochal up` started. */
export const startedServerSchema = z.object({
  address: z.string().min(1),
  namespace: z.string().min(1),
  ui: z.string().nullable(),
  pid: z.int(),
  /** The process that it ends with. What older versions wrote has none. */
  launcher: z.int().optional(),
});
export type StartedServer = z.infer<typeof startedServerSchema>;

export interface FoundTemporal {
  /** `configured` is not ours; `running` was started by another Epochal process; `started` ends with this one. */
  origin: 'configured' | 'running' | 'started';
  address: string;
  namespace: string;
  /** Address of its web UI, where it is known. */
  ui: string | null;
  /** How to connect. */
  connection: ConnectionOptions;
  /** Only where this process started it. */
  server: TemporalServer | null;
}

export class TemporalNotFoundError extends Error {
  override readonly name = 'TemporalNotFoundError';
}

const startedFile = (dataFolder: string) => join(dataFolder, 'temporal.json');

/**
 * The server of the environment configuration, without asking whether it answers; null when none is configured.
 * Throws TemporalNotFoundError when the configuration cannot be read.
 */
export function configuredTemporal(): FoundTemporal | null {
  let config: ReturnType<typeof loadClientConnectConfig>;
  try {
    config = loadClientConnectConfig();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TemporalNotFoundError(
      `the Temporal configuration (TEMPORAL_* and temporal.toml) cannot be used: ${reason}`,
      {
        cause: error,
      },
    );
  }
  const { connectionOptions, namespace = 'default' } = config;
  const { address } = connectionOptions;
  if (!address) return null;
  const ui =
    process.env.EPOCHAL_TEMPORAL_UI ??
    (/\.(tmprl\.cloud|temporal\.io)(:|$)/.test(address) ? 'https://cloud.temporal.io' : null);
  return { origin: 'configured', address, namespace, ui, connection: connectionOptions, server: null };
}

/**
 * A server that an Epochal process on this machine started, when it answers and that process is there: one whose launcher was killed still
 * answers for a while, and is going down.
 */
export async function runningTemporal(dataFolder: string): Promise<FoundTemporal | null> {
  const started = await readStarted(dataFolder);
  if (started === null || (started.launcher !== undefined && !isAlive(started.launcher))) return null;
  if (!(await answers({ address: started.address }))) return null;
  return found('running', started, null);
}

/** Finds the server, or starts one. Throws an Error with what to do about it when there is no way. */
export async function findTemporal(
  dataFolder: string,
  options: { onProgress?: (message: string) => void; signal?: AbortSignal } = {},
): Promise<FoundTemporal> {
  const configured = configuredTemporal();
  if (configured !== null) {
    await connectTo(configured);
    return configured;
  }
  const running = await runningTemporal(dataFolder);
  if (running !== null) return running;

  await makePrivate(dataFolder);
  const python = await findPython(options.signal);
  const [binary, release] = await Promise.all([
    ensureTemporalBinary(options),
    lockFile(python, join(dataFolder, 'temporal.lock'), options.signal),
  ]);
  try {
    // Another process may have started it while this one waited for the lock.
    const started = await runningTemporal(dataFolder);
    if (started !== null) return started;
    await untilDatabaseIsFree(dataFolder);
    options.onProgress?.('starting the Temporal server');
    const folder = join(dataFolder, 'temporal');
    await makePrivate(folder);
    const logFile = join(folder, 'temporal.log');
    await rename(logFile, `${logFile}.1`).catch(() => undefined);
    const server = await startTemporalServer({
      binary: binary.path,
      logFile,
      databaseFile: join(folder, 'temporal.db'),
      port: 7233,
      uiPort: 8233,
      ui: true,
    });
    const record: StartedServer = {
      address: server.address,
      namespace: 'default',
      ui: server.ui,
      pid: server.pid,
      launcher: process.pid,
    };
    const beside = `${startedFile(dataFolder)}.${process.pid}`;
    await writeFile(beside, `${JSON.stringify(record)}\n`);
    await rename(beside, startedFile(dataFolder));
    const stop = async () => {
      await server.stop();
      await rm(startedFile(dataFolder), { force: true });
    };
    return found('started', record, { ...server, stop });
  } finally {
    await release();
  }
}

/** Throws TemporalNotFoundError, which names the address, when nobody answers there. The caller closes it. */
export async function connectTo({
  address,
  connection,
}: Pick<FoundTemporal, 'address' | 'connection'>): Promise<Connection> {
  try {
    return await Connection.connect({ ...connection, connectTimeout: 10_000 });
  } catch (error) {
    throw new TemporalNotFoundError(
      `no Temporal server answers at ${address} (${error instanceof Error ? error.message : String(error)}). ` +
        'The address comes from TEMPORAL_ADDRESS or a temporal.toml; without either, Epochal starts its own server.',
      { cause: error },
    );
  }
}

function found(origin: 'running' | 'started', started: StartedServer, server: TemporalServer | null): FoundTemporal {
  return { origin, ...started, connection: { address: started.address }, server };
}

async function readStarted(dataFolder: string): Promise<StartedServer | null> {
  try {
    return startedServerSchema.parse(JSON.parse(await readFile(startedFile(dataFolder), 'utf8')));
  } catch {
    return null;
  }
}

async function answers(connection: ConnectionOptions): Promise<boolean> {
  try {
    await (await Connection.connect({ ...connection, connectTimeout: 2_000 })).close();
    return true;
  } catch {
    return false;
  }
}

/** A server whose launcher was killed takes some seconds to close its database. */
async function untilDatabaseIsFree(dataFolder: string): Promise<void> {
  const left = await readStarted(dataFolder);
  if (left === null) return;
  const deadline = Date.now() + 20_000;
  for (;;) {
    const { stdout } = await runProgram('ps', ['-p', String(left.pid), '-o', 'command=']);
    if (!stdout.includes('start-dev')) return;
    if (Date.now() > deadline) {
      throw new TemporalNotFoundError(
        `a Temporal server (process ${left.pid}) holds the database of ${dataFolder} but does not answer at ${left.address}: end it, and start again`,
      );
    }
    await delay(200);
  }
}

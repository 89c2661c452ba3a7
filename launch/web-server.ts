/** The web UI and the HTTP API beside the worker of `epochal up`. */

import type { Logger } from 'pino';
import type { Connected } from '../client/connect.ts';
import { lastingConnection } from '../client/lasting-connection.ts';
import { temporalClient } from '../client/temporal-client.ts';
import { type RunningServer, type ServerOptions, startServer } from '../server/main.ts';
import { readServerSettings, type ServerSettings } from '../server/settings.ts';
import type { WorkerSettings } from '../worker/settings.ts';
import { connectTo, type FoundTemporal } from './find-temporal.ts';

export interface WebServerOptions {
  temporal: FoundTemporal;
  settings: WorkerSettings;
  log: Logger;
  /** Where the built web UI is, once it is. */
  webFolder: Promise<string>;
  /** What this process counts, for Prometheus. */
  counted: NonNullable<ServerOptions['counted']>;
}

/** On the port of its settings or, where another program has that one, on any. Throws ServerSettingsError. */
export async function startWebServer({
  temporal,
  settings,
  log,
  webFolder: built,
  counted,
}: WebServerOptions): Promise<RunningServer> {
  const server = { ...readServerSettings(), workflowQueue: settings.workflowQueue, defaultPool: settings.pool };
  const webFolder = await built;
  const start = (chosen: ServerSettings) =>
    startServer({ settings: chosen, log, webFolder, counted, connect: () => connected(temporal) });
  try {
    return await start(server);
  } catch (error) {
    const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    if (!isTaken || process.env.EPOCHAL_SERVER_PORT) throw error;
    return start({ ...server, port: 0 });
  }
}

async function connected({ address, namespace, ui, connection: options, origin }: FoundTemporal): Promise<Connected> {
  const connection = await connectTo({
    address,
    connection: { ...options, ...lastingConnection },
  });
  const client = temporalClient(connection, namespace);
  return { client, address, namespace, ui, isConfigured: origin === 'configured', close: () => connection.close() };
}

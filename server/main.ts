/** `epochal server`: the HTTP API and the web, until it is told to end. */
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { Connected } from '../client/connect.ts';
import { createApp } from './app.ts';
import { createServerLog } from './log.ts';
import { isLoopback, readServerSettings, requireToken, type ServerSettings } from './settings.ts';
import { TemporalLink } from './temporal-link.ts';

const builtWeb = fileURLToPath(new URL('../web/dist', import.meta.url));

export interface ServerOptions {
  /** What the environment says, unless given. */
  settings?: ServerSettings;
  log?: Logger;
  /** How Temporal is reached: as the environment says, unless given. Called again while it fails. */
  connect?: () => Promise<Connected>;
  webFolder?: string;
}

export interface RunningServer {
  /** `http://127.0.0.1:8266` */
  address: string;
  /** Runs that someone watches now. */
  readonly watched: number;
  /** Open streams end, then the server. */
  stop(): Promise<void>;
}

/** Listens when it resolves, whether Temporal is there or not. Throws ServerSettingsError, and when the port is in use. */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const settings = options.settings ?? readServerSettings();
  requireToken(settings);
  const log = options.log ?? createServerLog(settings.logLevel);
  const link = new TemporalLink(settings, options.connect);
  const { server, watches } = await createApp({ settings, link, log, webFolder: options.webFolder ?? builtWeb });
  try {
    await server.listen({ host: settings.address, port: settings.port });
  } catch (error) {
    await server.close();
    throw error;
  }
  // In the background: a page that is loaded first finds the connection there.
  void link.backend().catch((error: unknown) => log.warn(error instanceof Error ? error.message : String(error)));
  const { port } = server.server.address() as AddressInfo;
  return {
    address: `http://${hostOf(settings.address)}:${port}`,
    get watched() {
      return watches.size;
    },
    stop: async () => {
      await server.close();
      await link.close();
    },
  };
}

/** As a browser on this machine writes it. */
function hostOf(address: string): string {
  if (isLoopback(address)) return address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;
  if (address === '0.0.0.0' || address === '::') return 'localhost';
  return address.includes(':') ? `[${address}]` : address;
}

/** Prints the address, and serves until SIGTERM or SIGINT. Answers the exit code. */
export async function runServerUntilSignal(options: ServerOptions = {}): Promise<number> {
  let running: RunningServer;
  try {
    running = await startServer(options);
  } catch (error) {
    process.stderr.write(`${startProblem(error)}\n`);
    return 1;
  }
  process.stdout.write(`${running.address}\n`);
  await new Promise<void>((resolve) => {
    const end = () => {
      process.off('SIGTERM', end);
      process.off('SIGINT', end);
      resolve();
    };
    process.on('SIGTERM', end);
    process.on('SIGINT', end);
  });
  await running.stop();
  return 0;
}

function startProblem(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return 'EPOCHAL_SERVER_PORT: another program listens there; choose another, or 0 for any';
  if (code === 'EADDRNOTAVAIL') return 'EPOCHAL_SERVER_ADDRESS is no address of this machine';
  if (code === 'EACCES') return 'EPOCHAL_SERVER_PORT: this user may not listen there; choose one above 1023';
  return error instanceof Error ? error.message : String(error);
}

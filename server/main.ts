/** `epochal server`: the HTTP API and the web, until it is told to end. */
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createSecureContext } from 'node:tls';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { Connected } from '../client/connect.ts';
import { closeTracing, openTracing } from '../client/tracing.ts';
import { packageFolder } from '../contracts/package-folder.ts';
import { createApp } from './app.ts';
import { dataFolderProblem } from './data-folder.ts';
import { createServerLog } from './log.ts';
import type { Exposed } from './metrics.ts';
import { announceServer, signInAddress } from './running-server.ts';
import { isLoopback, readServerSettings, requireToken, type ServerSettings, ServerSettingsError } from './settings.ts';
import { TemporalLink } from './temporal-link.ts';
import { tokenOf } from './token.ts';

const builtWeb = fileURLToPath(new URL('web/dist', packageFolder));

export interface ServerOptions {
  /** What the environment says, unless given. */
  settings?: ServerSettings;
  log?: Logger;
  /** How Temporal is reached: as the environment says, unless given. Called again while it fails. */
  connect?: () => Promise<Connected>;
  webFolder?: string;
  /** What this process counts, for Prometheus. */
  counted?: readonly Exposed[];
}

interface Beside {
  /** What has to be there before it listens, and may take long. */
  prepare?: () => Promise<void>;
  /** Serves the workflows. */
  control?: (settings: ServerSettings, log: Logger) => { stop(): Promise<void> };
}

export interface RunningServer {
  /** `http://127.0.0.1:8266` */
  address: string;
  /** The same with a code that signs in once, as a fragment, which no browser sends to a server or tells to a page. */
  signInAddress(): Promise<string>;
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
  const [token, tls] = await Promise.all([tokenOf(settings), readTls(settings.tls)]);
  if (tls === null && !isLoopback(settings.address)) {
    log.warn(
      `the server listens on ${settings.address} without TLS: anyone on the network path can read tokens and files; set EPOCHAL_SERVER_TLS_CERT and EPOCHAL_SERVER_TLS_KEY, or let a proxy on this machine speak TLS`,
    );
  }
  openTracing({ service: 'epochal-server', onProblem: (problem) => log.warn(problem) });
  const link = new TemporalLink(settings, options.connect);
  const webFolder = options.webFolder ?? builtWeb;
  const { counted = [] } = options;
  const { server, access, watches } = await createApp({ settings, token, tls, link, log, webFolder, counted });
  let address: string;
  let withdraw: (() => Promise<void>) | null = null;
  try {
    await server.listen({ host: settings.address, port: settings.port });
    const { port } = server.server.address() as AddressInfo;
    address = `${tls === null ? 'http' : 'https'}://${hostOf(settings.address)}:${port}`;
    if (token !== null) {
      withdraw = await announceServer(settings.dataFolder, address).catch((error: unknown) => {
        throw dataFolderProblem(settings.dataFolder, error);
      });
    }
  } catch (error) {
    await server.close();
    throw error;
  }
  // In the background: a page that is loaded first finds the connection there.
  void link.backend().catch((error: unknown) => log.warn(error instanceof Error ? error.message : String(error)));
  return {
    address,
    signInAddress: async () => {
      const code = await access.signInCode();
      return code === null ? address : `${address}/#code=${code}`;
    },
    get watched() {
      return watches.size;
    },
    stop: async () => {
      await withdraw?.();
      await server.close();
      await link.close();
      await closeTracing();
    },
  };
}

/** Throws ServerSettingsError that names the variable. */
async function readTls(files: ServerSettings['tls']): Promise<{ cert: Buffer; key: Buffer } | null> {
  if (files === null) return null;
  const read = (variable: string, file: string) =>
    readFile(file).catch((error: Error) => {
      throw new ServerSettingsError(`${variable} is ${JSON.stringify(file)}, which cannot be read: ${error.message}`);
    });
  const [cert, key] = await Promise.all([
    read('EPOCHAL_SERVER_TLS_CERT', files.certificate),
    read('EPOCHAL_SERVER_TLS_KEY', files.key),
  ]);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ServerSettingsError(
      `EPOCHAL_SERVER_TLS_CERT and EPOCHAL_SERVER_TLS_KEY must be a certificate and its key in PEM: ${reason}`,
    );
  }
  return { cert, key };
}

/** As a browser on this machine writes it. */
function hostOf(address: string): string {
  if (isLoopback(address)) return address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;
  if (address === '0.0.0.0' || address === '::') return 'localhost';
  return address.includes(':') ? `[${address}]` : address;
}

/** Prints the address, and serves until SIGTERM or SIGINT. Answers the exit code. */
export async function runServerUntilSignal({
  prepare,
  control: startControl,
  ...options
}: ServerOptions & Beside = {}): Promise<number> {
  let running: RunningServer;
  let settings: ServerSettings;
  let log: Logger;
  try {
    settings = options.settings ?? readServerSettings();
    // What keeps it from starting is said before anything that takes long.
    await Promise.all([tokenOf(settings), readTls(settings.tls)]);
    await prepare?.();
    log = options.log ?? createServerLog(settings.logLevel);
    running = await startServer({ ...options, settings, log });
  } catch (error) {
    process.stderr.write(`${startProblem(error)}\n`);
    return 1;
  }
  const control = startControl?.(settings, log);
  process.stdout.write(`${running.address}\n`);
  // Where the token was given, it is known to whom it shall be known, and logs of services should sign nobody in.
  if (settings.token.kind === 'made') process.stderr.write(`sign in: ${await running.signInAddress()}\n`);
  await new Promise<void>((resolve) => {
    const end = () => {
      process.off('SIGTERM', end);
      process.off('SIGINT', end);
      resolve();
    };
    process.on('SIGTERM', end);
    process.on('SIGINT', end);
  });
  await Promise.all([running.stop(), control?.stop()]);
  return 0;
}

/** `epochal sign-in`: prints an address that signs a browser in once. Answers the exit code. */
export async function runSignIn(): Promise<number> {
  try {
    process.stdout.write(`${await signInAddress(readServerSettings().dataFolder)}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`${startProblem(error)}\n`);
    return 1;
  }
}

function startProblem(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE')
    return 'EPOCHAL_SERVER_PORT: another program is listening there; choose another, or 0 for any';
  if (code === 'EADDRNOTAVAIL') return 'EPOCHAL_SERVER_ADDRESS is not an address of this machine';
  if (code === 'EACCES') return 'EPOCHAL_SERVER_PORT: this user may not listen there; choose one above 1023';
  return error instanceof Error ? error.message : String(error);
}

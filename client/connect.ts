/**
 * Where the Temporal server is: as the standard Temporal environment configuration says (TEMPORAL_ADDRESS, a
 * profile of temporal.toml), else the one that `npm start` left the address of, else localhost:7233.
 */
import { readFile } from 'node:fs/promises';
import { homedir, platform } from 'node:os';
import { join } from 'node:path';
import { type Client, Connection, type ConnectionOptions } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { z } from 'zod';
import { dataFolder, FolderProblem, folderProblem, type Machine } from '../contracts/folders.ts';
import { ConfigError, ServerUnreachableError } from './errors.ts';
import { lastingConnection } from './lasting-connection.ts';
import { temporalClient } from './temporal-client.ts';

export interface Connected {
  client: Client;
  address: string;
  namespace: string;
  /** Address of the Temporal UI, where it is known. */
  ui: string | null;
  /** By the environment configuration of Temporal, which may say more than the address. */
  isConfigured: boolean;
  close(): Promise<void>;
}

interface Place {
  connection: ConnectionOptions;
  address: string;
  namespace: string;
  ui: string | null;
  /** How the address came to be, as the end of a sentence. */
  origin: string;
}

const defaultAddress = 'localhost:7233';
const connectTimeoutMs = 5_000;

/** Throws ServerUnreachableError, with the address and where it comes from, and ConfigError for a data folder that cannot be. */
export async function connect(env: NodeJS.ProcessEnv = process.env): Promise<Connected> {
  const place = configured(env);
  if (place) return open(place, true);
  const started = await startedServer(env);
  if (started) {
    const connected = await open(started).catch(() => null);
    if (connected) return connected;
  }
  return open({
    connection: { address: defaultAddress },
    address: defaultAddress,
    namespace: 'default',
    ui: null,
    origin: 'nothing else is configured: "epochal up" starts a server, TEMPORAL_ADDRESS names one',
  });
}

function configured(env: NodeJS.ProcessEnv): Place | null {
  let config: ReturnType<typeof loadClientConnectConfig>;
  try {
    config = loadClientConnectConfig({ overrideEnvVars: definedOnly(env) });
  } catch (cause) {
    throw new ServerUnreachableError(`the Temporal configuration cannot be used: ${messageOf(cause)}`, { cause });
  }
  const { address } = config.connectionOptions;
  if (!address) return null;
  return {
    connection: config.connectionOptions,
    address,
    namespace: config.namespace ?? 'default',
    ui: env.EPOCHAL_TEMPORAL_UI ?? null,
    origin: 'from TEMPORAL_ADDRESS or a temporal.toml',
  };
}

/** What the launcher leaves in the data folder while its server runs. */
const startedServerSchema = z.object({
  address: z.string().min(1),
  namespace: z.string().min(1).default('default'),
  ui: z.string().nullable(),
});

async function startedServer(env: NodeJS.ProcessEnv): Promise<Place | null> {
  const machine: Machine = { env, platform: platform(), home: homedir() };
  let folder: string | undefined;
  try {
    folder = dataFolder(machine);
    const file = join(folder, 'temporal.json');
    const { address, namespace, ui } = startedServerSchema.parse(JSON.parse(await readFile(file, 'utf8')));
    return { connection: { address }, address, namespace, ui, origin: `from ${file}` };
  } catch (cause) {
    if (cause instanceof FolderProblem) throw new ConfigError([], { message: cause.message, cause });
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    // Nothing was started here yet, or it is not a server of ours that wrote there.
    if (folder === undefined || !['EACCES', 'EPERM', 'ENOTDIR'].includes(code)) return null;
    throw new ConfigError([], { message: folderProblem(folder, machine, code).message, cause });
  }
}

async function open(
  { connection: options, address, namespace, ui, origin }: Place,
  isConfigured = false,
): Promise<Connected> {
  let connection: Connection;
  try {
    connection = await Connection.connect({
      ...options,
      ...lastingConnection,
      connectTimeout: connectTimeoutMs,
    });
  } catch (cause) {
    throw new ServerUnreachableError(`no Temporal server answers at ${address} (${origin})`, { cause });
  }
  return {
    client: temporalClient(connection, namespace),
    address,
    namespace,
    ui,
    isConfigured,
    close: () => connection.close(),
  };
}

const definedOnly = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

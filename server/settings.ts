/** Settings of the HTTP server, from its environment. Bad values are refused before anything listens. */
import { isIP } from 'node:net';
import { homedir, platform } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import { dataFolder } from '../contracts/folders.ts';
import { listenAddress } from '../contracts/listen-address.ts';
import { name } from '../contracts/names.ts';
import { workflowQueue } from '../contracts/queues.ts';

export interface ServerSettings {
  /** Address to listen on. */
  address: string;
  /** 0: any free port. */
  port: number;
  /** Whoever has it may do everything. */
  token: TokenSetting;
  /** Whoever has it may read `/metrics`, and nothing else; null: there is none. */
  metricsToken: string | null;
  /** Files of the certificate and its key: with them the server speaks TLS. */
  tls: { certificate: string; key: string } | null;
  /** Where a token that was made, and login sessions, are kept. */
  dataFolder: string;
  /** Host names under which it is reached, beside its address: those of a reverse proxy. */
  hostNames: string[];
  /** Number of proxies in front whose X-Forwarded-For is believed. */
  proxies: number;
  /** Of one address of the network. */
  requestsPerMinute: number;
  workflowQueue: string;
  defaultPool: string;
  logLevel: string;
}

export type TokenSetting =
  | { kind: 'given'; token: string }
  /** Made at the first start, and kept in the data folder. */
  | { kind: 'made' }
  /** Nobody is asked for one: on the loopback alone, where nobody else can reach it. */
  | { kind: 'none' };

/** What a person must be told before the server listens: it does not. */
export class ServerSettingsError extends Error {
  override readonly name = 'ServerSettingsError';
}

const count = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
const shortestToken = 16;

export const tokenSchema = z
  .string()
  .min(shortestToken, `must have at least ${shortestToken} characters`)
  .max(1000)
  .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces');

const environmentSchema = z.object({
  EPOCHAL_SERVER_ADDRESS: z.string().min(1).max(255).default('127.0.0.1'),
  EPOCHAL_SERVER_PORT: count(0, 65_535).default(8266),
  EPOCHAL_TOKEN: z.union([z.literal('none'), tokenSchema]).optional(),
  EPOCHAL_METRICS_TOKEN: tokenSchema.optional(),
  /** Read where Temporal's SDK is set up. */
  EPOCHAL_TEMPORAL_METRICS_ADDRESS: listenAddress.optional(),
  EPOCHAL_SERVER_TLS_CERT: z.string().max(4096).optional(),
  EPOCHAL_SERVER_TLS_KEY: z.string().max(4096).optional(),
  EPOCHAL_SERVER_NAMES: z.string().max(4096).default(''),
  EPOCHAL_SERVER_PROXIES: count(0, 10).default(0),
  EPOCHAL_SERVER_REQUESTS_PER_MINUTE: count(10, 1_000_000).default(3_000),
  EPOCHAL_WORKFLOW_QUEUE: name.default(workflowQueue),
  EPOCHAL_POOL: name.default('gpu'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
});

/** Throws ServerSettingsError with one sentence per bad variable. The value of a token is never in it. */
export function readServerSettings(env: NodeJS.ProcessEnv = process.env): ServerSettings {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success) {
    const sentences = parsed.error.issues.map(({ path, message }) => {
      const variable = path.join('.');
      const secret = `must be at least ${shortestToken} printable ASCII characters without spaces`;
      if (variable === 'EPOCHAL_METRICS_TOKEN') return `${variable} ${secret}`;
      return variable === 'EPOCHAL_TOKEN'
        ? `${variable} ${secret}, or none`
        : `${variable} is ${JSON.stringify(env[variable])}: ${message}`;
    });
    throw new ServerSettingsError(sentences.join('; '));
  }
  const values = parsed.data;
  const settings: ServerSettings = {
    address: values.EPOCHAL_SERVER_ADDRESS,
    port: values.EPOCHAL_SERVER_PORT,
    token: tokenSetting(values.EPOCHAL_TOKEN),
    metricsToken: values.EPOCHAL_METRICS_TOKEN ?? null,
    tls: tlsFiles(values.EPOCHAL_SERVER_TLS_CERT, values.EPOCHAL_SERVER_TLS_KEY),
    dataFolder: resolve(dataFolder({ env, platform: platform(), home: homedir() })),
    hostNames: values.EPOCHAL_SERVER_NAMES.split(',')
      .map((part) => part.trim().toLowerCase())
      .filter(Boolean),
    proxies: values.EPOCHAL_SERVER_PROXIES,
    requestsPerMinute: values.EPOCHAL_SERVER_REQUESTS_PER_MINUTE,
    workflowQueue: values.EPOCHAL_WORKFLOW_QUEUE,
    defaultPool: values.EPOCHAL_POOL,
    logLevel: values.LOG_LEVEL,
  };
  requireToken(settings);
  return settings;
}

const tokenSetting = (given: string | undefined): TokenSetting =>
  given === undefined ? { kind: 'made' } : given === 'none' ? { kind: 'none' } : { kind: 'given', token: given };

function tlsFiles(certificate: string | undefined, key: string | undefined): ServerSettings['tls'] {
  if (certificate === undefined && key === undefined) return null;
  if (certificate !== undefined && key !== undefined) return { certificate, key };
  const [given, missing] = certificate === undefined ? ['KEY', 'CERT'] : ['CERT', 'KEY'];
  throw new ServerSettingsError(
    `EPOCHAL_SERVER_TLS_${missing} is missing: EPOCHAL_SERVER_TLS_${given} is set, and TLS needs both`,
  );
}

/** Throws ServerSettingsError where others could reach a server that asks for no token. */
export function requireToken(settings: Pick<ServerSettings, 'address' | 'token' | 'hostNames' | 'proxies'>): void {
  const { address, token, hostNames, proxies } = settings;
  if (token.kind !== 'none') return;
  const reached = !isLoopback(address)
    ? `EPOCHAL_SERVER_ADDRESS is ${JSON.stringify(address)}`
    : hostNames.length > 0
      ? `EPOCHAL_SERVER_NAMES is ${JSON.stringify(hostNames.join(','))}`
      : proxies > 0
        ? `EPOCHAL_SERVER_PROXIES is ${proxies}`
        : null;
  if (reached === null) return;
  throw new ServerSettingsError(
    `EPOCHAL_TOKEN is "none", and ${reached}: others can reach the server; leave EPOCHAL_TOKEN out, or set it to at least ${shortestToken} characters`,
  );
}

export function isLoopback(address: string): boolean {
  const plain = address.replace(/^\[|\]$/g, '').toLowerCase();
  if (plain === 'localhost' || plain === '::1') return true;
  return isIP(plain) === 4 && plain.startsWith('127.');
}

/** Settings of the HTTP server, from its environment. Bad values are refused before anything listens. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { name } from '../contracts/names.ts';
import { workflowQueue } from '../contracts/queues.ts';

export interface ServerSettings {
  /** Address to listen on. */
  address: string;
  /** 0: any free port. */
  port: number;
  /** Whoever has it may do everything; null: no token is asked for, on the loopback alone. */
  token: string | null;
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

/** What a person must be told before the server listens: it does not. */
export class ServerSettingsError extends Error {
  override readonly name = 'ServerSettingsError';
}

const count = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
const shortestToken = 16;

const environmentSchema = z.object({
  EPOCHAL_SERVER_ADDRESS: z.string().min(1).max(255).default('127.0.0.1'),
  EPOCHAL_SERVER_PORT: count(0, 65_535).default(8266),
  EPOCHAL_TOKEN: z
    .string()
    .min(shortestToken, `must have at least ${shortestToken} characters`)
    .max(1000)
    .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
    .optional(),
  EPOCHAL_SERVER_NAMES: z.string().max(4096).default(''),
  EPOCHAL_SERVER_PROXIES: count(0, 10).default(0),
  EPOCHAL_SERVER_REQUESTS_PER_MINUTE: count(10, 1_000_000).default(3_000),
  EPOCHAL_WORKFLOW_QUEUE: name.default(workflowQueue),
  EPOCHAL_POOL: name.default('gpu'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
});

/** Throws ServerSettingsError with one sentence a bad variable. The value of a token is never in it. */
export function readServerSettings(env: NodeJS.ProcessEnv = process.env): ServerSettings {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success) {
    const sentences = parsed.error.issues.map(({ path, message }) => {
      const variable = path.join('.');
      return variable === 'EPOCHAL_TOKEN'
        ? `EPOCHAL_TOKEN ${message}`
        : `${variable} is ${JSON.stringify(env[variable])}: ${message}`;
    });
    throw new ServerSettingsError(sentences.join('; '));
  }
  const values = parsed.data;
  const settings: ServerSettings = {
    address: values.EPOCHAL_SERVER_ADDRESS,
    port: values.EPOCHAL_SERVER_PORT,
    token: values.EPOCHAL_TOKEN ?? null,
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

/** Throws ServerSettingsError where others on the network could use the server without a token. */
export function requireToken({ address, token }: Pick<ServerSettings, 'address' | 'token'>): void {
  if (token !== null || isLoopback(address)) return;
  throw new ServerSettingsError(
    `EPOCHAL_SERVER_ADDRESS is ${JSON.stringify(address)}: any address but the loopback (127.0.0.1) needs a token in EPOCHAL_TOKEN, at least ${shortestToken} characters`,
  );
}

export function isLoopback(address: string): boolean {
  const plain = address.replace(/^\[|\]$/g, '').toLowerCase();
  if (plain === 'localhost' || plain === '::1') return true;
  return isIP(plain) === 4 && plain.startsWith('127.');
}

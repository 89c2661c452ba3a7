/**
 * Requests to the JSON API of Google Cloud Storage. Credentials are the application default ones, which Google's library finds and renews; they are never
 * read here.
 */
import { Readable } from 'node:stream';
import type { GoogleAuth } from 'google-auth-library';
import type { Call } from './bucket.ts';
import { credentialsError, gcsError, refusal } from './gcs-errors.ts';
import { SharedClient } from './shared-client.ts';
import { IdleSignal } from './stalled.ts';

export interface GcsRequest {
  method: 'GET' | 'POST' | 'DELETE';
  /** Below the server's address, percent-encoded. */
  path: string;
  query?: Record<string, string | number | undefined>;
  headers?: Record<string, string>;
  /** `moved`: to be called as it is taken. */
  body?: (moved: () => void) => Readable;
}

export interface GcsAnswer {
  headers: Headers;
  body: Readable;
}

type Sdk = typeof import('./gcs-sdk.ts');
let sdk: Promise<Sdk> | null = null;
const load = () => {
  sdk ??= import('./gcs-sdk.ts');
  return sdk;
};

/** Who asks: another client for other values. */
export const googleVariables = [
  'GOOGLE_APPLICATION_CREDENTIALS',
  'GOOGLE_CLOUD_QUOTA_PROJECT',
  'HOME',
  'CLOUDSDK_CONFIG',
];

const credentials = new SharedClient(googleVariables, async () => {
  const { GoogleAuth } = await load();
  return new GoogleAuth({ scopes: 'https://www.googleapis.com/auth/devstorage.read_write' });
});

/** The answer as it comes. Throws BucketError, also for an answer that is a refusal. */
export const openGcs = (call: Call, request: GcsRequest): Promise<GcsAnswer> => send(call, request, async (it) => it);

/** The object that the answer is, and Google's time; empty where it says nothing. */
export const askGcs = (call: Call, request: GcsRequest): Promise<{ answer: unknown; date: string | null }> =>
  send(call, request, async ({ headers, body }) => {
    const text = await textOf(body);
    return { answer: text === '' ? {} : JSON.parse(text), date: headers.get('date') };
  });

async function send<T>({ signal }: Call, request: GcsRequest, take: (answer: GcsAnswer) => Promise<T>): Promise<T> {
  const idle = new IdleSignal(signal);
  try {
    const { gaxios } = await load();
    const emulator = emulatorAddress();
    const url = new URL(`${emulator ?? 'https://storage.googleapis.com'}${request.path}`);
    for (const [name, value] of Object.entries(request.query ?? {}))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const headers = new Headers({ 'accept-encoding': 'identity', ...request.headers });
    const auth = emulator === null ? await credentials.get() : null;
    if (auth) await sign(headers, url, auth, idle);
    idle.moved();
    const answer = await gaxios.request<Readable | null>({
      url: url.href,
      method: request.method,
      headers,
      ...(request.body ? { data: request.body(() => idle.moved()) } : {}),
      responseType: 'stream',
      // Tried again by us, who can say so meanwhile, and who know what is worth it.
      retry: false,
      validateStatus: () => true,
      signal: idle.signal,
    });
    idle.moved();
    const body = answer.data ?? Readable.from([]);
    if (answer.status >= 200 && answer.status < 300) return await take({ headers: answer.headers, body });
    if (auth && (answer.status === 401 || answer.status === 403)) credentials.forget(auth);
    throw refusal({ status: answer.status, headers: answer.headers, text: await textOf(body) });
  } catch (error) {
    signal?.throwIfAborted();
    throw gcsError(idle.asBroken(error));
  } finally {
    idle.end();
  }
}

/** As Google's own clients understand it: nobody signs requests to an emulator. */
export function emulatorAddress(): string | null {
  const host = process.env.STORAGE_EMULATOR_HOST;
  if (!host) return null;
  return (/^https?:\/\//.test(host) ? host : `http://${host}`).replace(/\/+$/, '');
}

async function sign(headers: Headers, url: URL, auth: GoogleAuth, idle: IdleSignal): Promise<void> {
  try {
    // A login service, or a metadata server, that does not answer is waited for without limit there.
    const given = await idle.race(auth.getRequestHeaders(url.href));
    for (const [name, value] of given.entries()) headers.set(name, value);
  } catch (error) {
    credentials.forget(auth);
    throw idle.signal.aborted ? error : credentialsError(error);
  }
}

async function textOf(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

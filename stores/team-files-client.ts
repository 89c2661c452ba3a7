/** Requests to the API of a Supervisely server. */
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { StoreError } from './artifact-store.ts';
import type { Call } from './bucket.ts';
import { IdleSignal } from './stalled.ts';
import { refusal, teamFilesError, unexpected } from './team-files-errors.ts';
import { teamFilesSettings } from './team-files-settings.ts';

export interface TeamFilesRequest {
  /** Such as `file-storage.list`. */
  method: string;
  /** Beside the team: parameters as JSON, or a body of so many bytes with parameters in the query. */
  json?: Record<string, unknown>;
  upload?: { query: Record<string, string>; size: number; bytes: () => AsyncIterable<Uint8Array> };
  headers?: Record<string, string>;
  /** So long nothing may move. */
  idleMs?: number;
}

/** The server says nothing before it has all of a file in its storage. Bytes per second that it is given for that. */
const slowestStoring = 8 << 20;
/** Bytes that are handed to the connection at once. */
const sliceBytes = 256 << 10;

/** The answer as it comes. Throws BucketError, also for an answer that is a refusal. */
export const openTeamFiles = (call: Call, request: TeamFilesRequest): Promise<IncomingMessage> =>
  send(call, request, async (answer) => answer);

/** What `parse` makes of the answer, which is JSON, and the server's time. */
export const askTeamFiles = <T>(
  call: Call,
  request: TeamFilesRequest,
  parse: (answer: unknown) => T,
): Promise<{ answer: T; date: string | undefined }> =>
  send(call, request, async (answer, moved) => {
    const text = await textOf(answer, moved);
    try {
      return { answer: parse(JSON.parse(text)), date: answer.headers.date };
    } catch (error) {
      throw unexpected(answer.headers['content-type'], error);
    }
  });

async function send<T>(
  { signal }: Call,
  { method, json, upload, headers, idleMs = 60_000 }: TeamFilesRequest,
  take: (answer: IncomingMessage, moved: () => void) => Promise<T>,
): Promise<T> {
  const idle = new IdleSignal(signal, Math.max(idleMs, ((upload?.size ?? 0) / slowestStoring) * 1000));
  let sent: ClientRequest | null = null;
  try {
    signal?.throwIfAborted();
    const { api, token, team } = await teamFilesSettings();
    const url = new URL(`${api}${method}`);
    for (const [name, value] of Object.entries(upload ? { teamId: `${team}`, ...upload.query } : {}))
      url.searchParams.set(name, value);
    const body = upload ?? asBody(JSON.stringify({ teamId: team, ...json }));
    sent = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
      method: 'POST',
      headers: {
        'x-api-key': token,
        'accept-encoding': 'identity',
        'content-type': upload ? 'application/octet-stream' : 'application/json',
        'content-length': body.size,
        ...headers,
      },
      signal: idle.signal,
    });
    const answer = await answerOf(sent, body.bytes(), () => idle.moved());
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return await take(answer, () => idle.moved());
    const text = await textOf(answer, () => idle.moved());
    const header = (name: string) => [answer.headers[name]].flat()[0];
    throw refusal({ status, header, text }, url.pathname);
  } catch (error) {
    // What is left of an upload that was refused must not be sent on.
    sent?.destroy();
    signal?.throwIfAborted();
    // Of the file that is sent.
    if (error instanceof StoreError) throw error;
    throw teamFilesError(idle.asBroken(error));
  } finally {
    idle.end();
  }
}

async function answerOf(
  sent: ClientRequest,
  bytes: AsyncIterable<Uint8Array>,
  moved: () => void,
): Promise<IncomingMessage> {
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
  // An error after the answer is the answer's as well.
  sent.on('error', () => undefined);
  let failure: { error: unknown } | null = null;
  void writeAll(sent, bytes, moved).catch((error: unknown) => {
    failure = { error };
    sent.destroy(error instanceof Error ? error : undefined);
  });
  try {
    const [answer] = await answered;
    moved();
    return answer;
  } catch (error) {
    throw (failure as { error: unknown } | null)?.error ?? error;
  }
}

async function writeAll(sent: ClientRequest, bytes: AsyncIterable<Uint8Array>, moved: () => void): Promise<void> {
  let wake: () => void = () => undefined;
  sent.on('drain', () => wake());
  sent.on('close', () => wake());
  for await (const chunk of bytes)
    for (let at = 0; at < chunk.length; at += sliceBytes) {
      if (sent.destroyed) return;
      moved();
      if (!sent.write(chunk.subarray(at, at + sliceBytes)))
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  sent.end();
}

function asBody(text: string) {
  const bytes = Buffer.from(text);
  return {
    size: bytes.length,
    bytes: async function* () {
      yield bytes;
    },
  };
}

async function textOf(answer: IncomingMessage, moved: () => void): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) {
    moved();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

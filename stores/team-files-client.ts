/** Requests to the API of a Supervisely server. */
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { sizeText } from '../contracts/size-text.ts';
import { StoreError } from './artifact-store.ts';
import { BucketError, type Call } from './bucket.ts';
import { IdleSignal } from './stalled.ts';
import { refusal, teamFilesError, unexpected } from './team-files-errors.ts';
import { superviselySettings, teamFilesSettings } from './team-files-settings.ts';

export interface TeamFilesRequest {
  /** Such as `file-storage.list`. */
  method: string;
  /** Beside the team: parameters as JSON, or a body of so many bytes with parameters in the query. */
  json?: Record<string, unknown>;
  upload?: { query: Record<string, string>; size: number; bytes: () => AsyncIterable<Uint8Array> };
  /** The method is about no team. */
  isTeamless?: true;
  headers?: Record<string, string>;
  /** So long nothing may move. */
  idleMs?: number;
  /** Of an answer that is held in memory. */
  mostBytes?: number;
}

/** Lists of a hundred thousand files have 60 MiB. */
const mostOfAnswer = 256 << 20;
/** A refusal is a sentence, or the page of a proxy. */
const mostOfRefusal = 64 << 10;

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
    const text = (await wholeOf(answer, moved, request.mostBytes)).toString('utf8');
    try {
      return { answer: parse(JSON.parse(text)), date: answer.headers.date };
    } catch (error) {
      throw unexpected(answer.headers['content-type'], error);
    }
  });

/** An answer that is no JSON. */
export const readTeamFiles = (call: Call, request: TeamFilesRequest): Promise<{ bytes: Buffer; type: string }> =>
  send(call, request, async (answer, moved) => ({
    bytes: await wholeOf(answer, moved, request.mostBytes),
    type: answer.headers['content-type'] ?? '',
  }));

async function send<T>(
  { signal }: Call,
  { method, json, upload, isTeamless, headers, idleMs = 60_000 }: TeamFilesRequest,
  take: (answer: IncomingMessage, moved: () => void) => Promise<T>,
): Promise<T> {
  const idle = new IdleSignal(signal, Math.max(idleMs, ((upload?.size ?? 0) / slowestStoring) * 1000));
  let sent: ClientRequest | null = null;
  try {
    signal?.throwIfAborted();
    const { api, token, ...of } = isTeamless ? await superviselySettings() : await teamFilesSettings();
    const team = 'team' in of ? { teamId: of.team } : {};
    const url = new URL(`${api}${method}`);
    for (const [name, value] of Object.entries(upload ? { ...team, ...upload.query } : {}))
      url.searchParams.set(name, `${value}`);
    const body = upload ?? asBody(JSON.stringify({ ...team, ...json }));
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
    const { bytes: said } = await beginningOf(answer, () => idle.moved(), mostOfRefusal);
    const header = (name: string) => [answer.headers[name]].flat()[0];
    throw refusal({ status, header, text: said.toString('utf8'), secret: token }, url.pathname);
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

/** Throws a BucketError for one that would fill the memory of the worker. */
async function wholeOf(answer: IncomingMessage, moved: () => void, most = mostOfAnswer): Promise<Buffer> {
  const { bytes, isWhole } = await beginningOf(answer, moved, most);
  if (!isWhole) throw new BucketError('refused', `the server answers with more than ${sizeText(most)}`);
  return bytes;
}

async function beginningOf(
  answer: IncomingMessage,
  moved: () => void,
  most: number,
): Promise<{ bytes: Buffer; isWhole: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    moved();
    size += chunk.length;
    if (size > most) return { bytes: Buffer.concat(chunks), isWhole: false };
    chunks.push(chunk);
  }
  return { bytes: Buffer.concat(chunks), isWhole: true };
}

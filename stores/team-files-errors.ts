/** What a Supervisely server says, as a clause for a person and what may help. */
import { z } from 'zod';
import { BucketError, type BucketTrouble } from './bucket.ts';
import { isOfCertificate, networkProblems, retryAfterMs } from './provider-errors.ts';

interface Known {
  trouble: BucketTrouble;
  why: string;
}

const refused = (why: string): Known => ({ trouble: 'refused', why });
const renew = 'renew API_TOKEN of this worker';
const credentials = refused(`the server does not accept the token, or it has expired: ${renew}`);
const denied = refused('access denied; docs/stores.md lists what the user of the token needs');
const noSupervisely = refused('what answers at SERVER_ADDRESS is not the API of Supervisely');
const slow: Known = { trouble: 'broken', why: 'the connection was too slow or broke off' };

const byStatus: Readonly<Record<number, Known>> = {
  401: credentials,
  402: refused("the server's licence or plan does not cover it"),
  403: denied,
  404: { trouble: 'gone', why: 'the file is not there' },
  405: noSupervisely,
  408: slow,
  413: { trouble: 'never', why: 'the file is too large for the server' },
  416: { trouble: 'gone', why: 'the file has changed' },
  429: { trouble: 'busy', why: 'the server asks for fewer requests' },
  499: slow,
  507: refused('no space is left on the server'),
};

/** An answer that is no success: the cause of what is thrown. */
class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export const isStatus = (error: unknown, ...statuses: number[]): boolean =>
  error instanceof BucketError && error.cause instanceof Refusal && statuses.includes(error.cause.status);

export interface FailedAnswer {
  status: number;
  /** Of this name, in small letters. */
  header: (name: string) => string | undefined;
  text: string;
  /** What must not be repeated, in case the server does: what it says is in a history, and in a log. */
  secret: string;
}

/** Of an answer with this status and body. `path`: of the request, from the server's root. */
export function refusal({ status, header, text, secret }: FailedAnswer, path: string): BucketError {
  const { said, isJson } = told(text, secret);
  const make = ({ trouble, why }: Known) =>
    new BucketError(trouble, `${why} (HTTP ${status})`, retryAfterMs(header('retry-after')), {
      cause: new Refusal(status, said),
    });
  if (status >= 300 && status < 400) return make(refused(redirected(header('location'), path)));
  // The server does not say it by the status alone.
  if (status === 400 && /\b(api[ _-]?)?(token|key)\b|unauthori[sz]ed/i.test(said)) return make(credentials);
  if (status === 404 && !isJson) return make(noSupervisely);
  const known = byStatus[status];
  if (known) return make(known);
  if (status >= 500) return make({ trouble: 'busy', why: 'the server failed' });
  return make(refused(`the server refused it: ${said || 'it says nothing'}`));
}

/** Where the server would rather be asked: without the path of the request, as it is to be set. */
function redirected(location: string | undefined, path: string): string {
  const there = location !== undefined && URL.canParse(location) ? new URL(location) : null;
  const address = there?.pathname.endsWith(path) && !there.username && !there.password ? there.origin : null;
  return `SERVER_ADDRESS is not where the server answers${address === null ? '' : `: set it to ${address}`}`;
}

const answerSchema = z.object({
  error: z.unknown(),
  message: z.unknown(),
  details: z.unknown(),
});

/** On one line. A page of a proxy is nothing that anybody could read here. */
function told(text: string, secret: string): { said: string; isJson: boolean } {
  try {
    const { error, message, details } = answerSchema.partial().parse(JSON.parse(text));
    const found = [details, error, message].flatMap(textsIn).find(Boolean) ?? '';
    return { said: found.replaceAll(secret, '…').replaceAll(/\s+/g, ' ').slice(0, 300), isJson: true };
  } catch {
    return { said: '', isJson: false };
  }
}

/** `details` is a text, an object with a message, or a list of these. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(textsIn);
  const { message } = (value ?? {}) as { message?: unknown };
  return typeof message === 'string' ? [message] : [];
}

/** A success that has not what it should have. */
export const unexpected = (contentType: string | undefined, cause: unknown): BucketError =>
  /json/i.test(contentType ?? 'json')
    ? new BucketError('broken', 'no whole answer came', null, { cause })
    : new BucketError(noSupervisely.trouble, noSupervisely.why, null, { cause });

/** Of no answer at all: cut short, or timed out. */
export function teamFilesError(error: unknown): BucketError {
  if (error instanceof BucketError) return error;
  const { code } = (error ?? {}) as { code?: unknown };
  const shown = typeof code === 'string' && /^\w+$/.test(code) ? code : '';
  const make = (trouble: BucketTrouble, why: string) =>
    new BucketError(trouble, `${why} (${shown})`, null, { cause: error });
  // Such as what TLS says of a server that speaks plain HTTP.
  if (/^EPROTO$|^ERR_SSL/.test(shown))
    return make('refused', 'the server does not speak https: SERVER_ADDRESS begins with it');
  if (Object.hasOwn(networkProblems, shown)) return make('broken', networkProblems[shown] ?? '');
  if (isOfCertificate(shown)) return make('refused', 'the certificate of the server is not trusted');
  const said = error instanceof Error ? error.message : String(error);
  return new BucketError('broken', `no whole answer came: ${said.replaceAll(/\s+/g, ' ').slice(0, 300)}`, null, {
    cause: error,
  });
}

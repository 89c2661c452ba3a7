/** What Google Cloud Storage and its client say, as a clause for a person and what may help. */
import { z } from 'zod';
import { BucketError, type BucketTrouble } from './bucket.ts';
import { isOfCertificate, networkProblems, retryAfterMs } from './provider-errors.ts';

interface Known {
  trouble: BucketTrouble;
  why: string;
}

const refused = (why: string): Known => ({ trouble: 'refused', why });
const busy = (why: string): Known => ({ trouble: 'busy', why });
const renew = 'renew the Google Cloud credentials of this worker';
const throttled = busy('the server asks for fewer requests');

/** By the reason in the answer, which says more than its status. */
const byReason: Readonly<Record<string, Known>> = {
  rateLimitExceeded: throttled,
  userRateLimitExceeded: throttled,
  backendError: busy('the server failed'),
  internalError: busy('the server failed'),
  quotaExceeded: refused('the quota of the project is used up'),
  dailyLimitExceeded: refused('the quota of the project is used up'),
  accountDisabled: refused('the account of the project is disabled'),
  accessNotConfigured: refused('Cloud Storage is not enabled for the project'),
  required: refused('the server wants credentials, and this worker has none'),
  authError: refused(`the server does not accept the credentials: ${renew}`),
  retentionPolicyNotMet: refused('a retention policy of the bucket keeps what is there from being changed'),
  objectUnderActiveHold: refused('a hold keeps what is there from being changed'),
  objectArchived: refused('the object is in an archive, and has to be restored first'),
  userProjectMissing: refused('the bucket makes whoever asks pay: such a bucket is no store'),
  userProjectAccountProblem: refused('the account of the project has a problem'),
};

const byStatus: Readonly<Record<number, Known>> = {
  401: refused(`the server does not accept the credentials: ${renew}`),
  403: refused('access denied; docs/stores.md lists the permissions that a store needs'),
  404: { trouble: 'gone', why: 'the object is not there' },
  405: refused('the server takes no writes: it is read-only'),
  408: { trouble: 'broken', why: 'the connection was too slow or broke off' },
  412: { trouble: 'gone', why: 'the object has changed' },
  413: { trouble: 'never', why: 'the file is too large for the server' },
  429: throttled,
};

const noBucket = refused('the bucket does not exist');
const damaged: Known = { trouble: 'damaged', why: 'the bytes that arrived were others' };

/** An answer that is no success: the cause of what is thrown. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly reason: string,
  ) {
    super(message);
  }
}

export const isStatus = (error: unknown, ...statuses: number[]): boolean =>
  error instanceof BucketError && error.cause instanceof Refusal && statuses.includes(error.cause.status);

const answerSchema = z.object({
  error: z.object({ message: z.string().optional(), errors: z.array(z.object({ reason: z.string() })).optional() }),
});

/** Of an answer with this status and body. */
export function refusal(answer: { status: number; headers: Headers; text: string }): BucketError {
  const { status, headers } = answer;
  const { message, reason } = told(answer.text);
  const cause = new Refusal(status, message, reason);
  const make = ({ trouble, why }: Known, shown: string) =>
    new BucketError(trouble, `${why} (${shown})`, retryAfterMs(headers.get('retry-after')), { cause });
  const shown = reason || `HTTP ${status}`;
  if (status === 404 && /bucket/i.test(message) && !/No such object/i.test(message)) return make(noBucket, shown);
  // A name in another refusal may have such words.
  if (status === 400 && /^provided (md5|crc32c)\b/i.test(message)) return make(damaged, shown);
  const known = (Object.hasOwn(byReason, reason) ? byReason[reason] : undefined) ?? byStatus[status];
  if (known) return make(known, shown);
  if (status >= 500) return make(busy('the server failed'), shown);
  const said = message.replaceAll(/\s+/g, ' ').slice(0, 300);
  return new BucketError('refused', `the server refused it: ${said} (${reason || 'no reason'}, HTTP ${status})`, null, {
    cause,
  });
}

function told(text: string): { message: string; reason: string } {
  try {
    const { error } = answerSchema.parse(JSON.parse(text));
    const reason = error.errors?.[0]?.reason ?? '';
    return { message: error.message ?? '', reason: /^\w+$/.test(reason) ? reason : '' };
  } catch {
    return { message: text, reason: '' };
  }
}

/** Of no answer at all: cut short, timed out, or not what it should be. */
export function gcsError(error: unknown): BucketError {
  if (error instanceof BucketError) return error;
  const code = codeOf(error);
  const make = (trouble: BucketTrouble, why: string) =>
    new BucketError(trouble, `${why} (${code})`, null, { cause: error });
  if (Object.hasOwn(networkProblems, code)) return make('broken', networkProblems[code] ?? '');
  if (isOfCertificate(code)) return make('refused', 'the certificate of its endpoint is not trusted');
  const said = error instanceof Error ? error.message : String(error);
  const short = said.replaceAll(/\s+/g, ' ').slice(0, 300);
  return new BucketError('broken', `no whole answer came: ${short}`, null, { cause: error });
}

/** Of credentials that could not be had. What is said of them may have parts of them: it is not told, and no cause either, as causes are kept in histories. */
export function credentialsError(error: unknown): BucketError {
  const code = codeOf(error);
  if (Object.hasOwn(networkProblems, code))
    return new BucketError('broken', `Google's login service: ${networkProblems[code]} (${code})`);
  const said = error instanceof Error ? error.message : '';
  const why = /default credentials/i.test(said)
    ? 'no Google Cloud credentials were found on this worker'
    : /does not exist|ENOENT|not a file/i.test(said)
      ? 'the file that GOOGLE_APPLICATION_CREDENTIALS names is not there'
      : /invalid_grant|expired|revoked/i.test(said)
        ? `the credentials have expired: ${renew}`
        : `the Google Cloud credentials of this worker are not valid: ${renew}`;
  return new BucketError('refused', why);
}

/** The system's, where there is one. */
function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  if (typeof code === 'string' && /^\w+$/.test(code)) return code;
  return cause === undefined || cause === error ? '' : codeOf(cause);
}

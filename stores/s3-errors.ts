/** What S3 and its client say, as a clause for a person and what may help. */
import { BucketError, type BucketTrouble } from './bucket.ts';
import { isOfCertificate, networkProblems, retryAfterMs } from './provider-errors.ts';

interface Known {
  trouble: BucketTrouble;
  why: string;
}

const refused = (why: string): Known => ({ trouble: 'refused', why });
const busy = (why: string): Known => ({ trouble: 'busy', why });
const damaged = (why: string): Known => ({ trouble: 'damaged', why });
const never = (why: string): Known => ({ trouble: 'never', why });
const renew = 'renew the AWS credentials of this worker';

const known: Readonly<Record<string, Known>> = {
  NoSuchBucket: refused('the bucket does not exist'),
  AccessDenied: refused('access denied; docs/stores.md lists the permissions that a store needs'),
  AllAccessDisabled: refused('access to the bucket is disabled'),
  AccountProblem: refused('the account of the bucket has a problem'),
  InvalidAccessKeyId: refused(`the access key does not exist: ${renew}`),
  SignatureDoesNotMatch: refused(`the secret key is wrong: ${renew}`),
  ExpiredToken: refused(`the credentials have expired: ${renew}`),
  ExpiredTokenException: refused(`the credentials have expired: ${renew}`),
  TokenRefreshRequired: refused(`the credentials have expired: ${renew}`),
  InvalidToken: refused(`the session token is not valid: ${renew}`),
  XAdminUserNotFound: refused(`the access key does not exist: ${renew}`),
  InvalidClientTokenId: refused(`the access key is not valid: ${renew}`),
  CredentialsProviderError: refused('no AWS credentials were found on this worker'),
  TokenProviderError: refused(`the credentials have expired: ${renew}`),
  RequestTimeTooSkewed: refused("the clock of this host is off by more than S3 allows: set it by a time server's"),
  RequestExpired: refused("the clock of this host is off by more than S3 allows: set it by a time server's"),
  PermanentRedirect: refused('the bucket is in another region: set AWS_REGION'),
  AuthorizationHeaderMalformed: refused('the bucket is in another region: set AWS_REGION'),
  IllegalLocationConstraintException: refused('the bucket is in another region: set AWS_REGION'),
  MethodNotAllowed: refused('the server takes no writes: it is read-only'),
  InvalidObjectState: refused('the object is in an archive, and has to be restored first'),
  QuotaExceeded: refused('the quota of the bucket is used up'),
  XMinioStorageFull: refused('no space is left on the server'),
  InsufficientStorage: refused('no space is left on the server'),
  SlowDown: busy('the server asks for fewer requests'),
  TooManyRequests: busy('the server asks for fewer requests'),
  ThrottlingException: busy('the server asks for fewer requests'),
  Throttling: busy('the server asks for fewer requests'),
  RequestLimitExceeded: busy('the server asks for fewer requests'),
  ServiceUnavailable: busy('the server is unavailable'),
  InternalError: busy('the server failed'),
  OperationAborted: busy('another request for the same key is under way'),
  ConditionalRequestConflict: busy('another request for the same key is under way'),
  RequestTimeout: { trouble: 'broken', why: 'the connection was too slow or broke off' },
  IncompleteBody: { trouble: 'broken', why: 'the connection broke off' },
  BadDigest: damaged('the bytes that arrived were others'),
  InvalidDigest: damaged('the bytes that arrived were others'),
  XAmzContentSHA256Mismatch: damaged('the bytes that arrived were others'),
  ContentSHA256Mismatch: damaged('the bytes that arrived were others'),
  XAmzContentChecksumMismatch: damaged('the bytes that arrived were others'),
  NoSuchUpload: { trouble: 'gone', why: 'the upload is not there any longer' },
  InvalidPart: { trouble: 'gone', why: 'a part of the upload is not there any longer' },
  InvalidPartOrder: { trouble: 'gone', why: 'the parts of the upload are out of order' },
  PreconditionFailed: { trouble: 'gone', why: 'the object has changed' },
  KeyTooLongError: never('the path is too long for S3'),
  EntityTooLarge: never('the file is too large for the server'),
  NotImplemented: never('the server does not know this operation'),
  InvalidBucketName: never('the bucket name is not valid'),
  ObjectParentIsFile: never('a file is where a folder is needed'),
  ExistingObjectIsDirectory: never('a folder is there'),
  NoSuchKey: { trouble: 'gone', why: 'the object is not there' },
};

const byStatus: Readonly<Record<number, Known>> = {
  401: refused('the server does not accept the credentials'),
  403: refused('access denied; docs/stores.md lists the permissions that a store needs'),
  405: refused('the server takes no writes: it is read-only'),
  408: { trouble: 'broken', why: 'the connection was too slow or broke off' },
  429: busy('the server asks for fewer requests'),
  301: refused('the bucket is in another region: set AWS_REGION'),
  507: refused('no space is left on the server'),
};

/** What other credentials would mend. */
const ofCredentials = [
  ...['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired', 'InvalidToken', 'TokenProviderError'],
  ...[
    'InvalidAccessKeyId',
    'InvalidClientTokenId',
    'XAdminUserNotFound',
    'SignatureDoesNotMatch',
    'CredentialsProviderError',
  ],
];
export const isOfCredentials = (error: unknown): boolean => {
  const { name } = (error ?? {}) as Thrown;
  return isCode(error, ...ofCredentials) || (typeof name === 'string' && ofCredentials.includes(name));
};

interface Thrown {
  name?: unknown;
  code?: unknown;
  message?: unknown;
  Code?: unknown;
  $metadata?: { httpStatusCode?: number };
  $response?: { statusCode?: number; headers?: Record<string, string> };
}

/** The name of S3's error, else the code of the system's. */
const codeOf = (error: Thrown): string =>
  [error.Code, error.code, error.name].find((one): one is string => typeof one === 'string' && /^\w+$/.test(one)) ?? '';

export const statusOf = (error: unknown): number | null => {
  const { $metadata, $response } = (error ?? {}) as Thrown;
  return $metadata?.httpStatusCode ?? $response?.statusCode ?? null;
};

export const isCode = (error: unknown, ...codes: string[]): boolean => codes.includes(codeOf((error ?? {}) as Thrown));

export function s3Error(error: unknown): BucketError {
  if (error instanceof BucketError) return error;
  const thrown = (error ?? {}) as Thrown;
  const code = codeOf(thrown);
  const status = statusOf(error);
  const headers = thrown.$response?.headers ?? {};
  const make = ({ trouble, why }: Known, shown = code) =>
    new BucketError(trouble, shown ? `${why} (${shown})` : why, retryAfterMs(headers['retry-after']), { cause: error });
  const region = headers['x-amz-bucket-region'];
  const one = known[code] ?? known[String(thrown.name)];
  if (region !== undefined && one?.why.includes('another region'))
    return make(refused(`the bucket is in the region ${region}: set AWS_REGION`));
  if (one) return make(one);
  if (Object.hasOwn(networkProblems, code)) return make({ trouble: 'broken', why: networkProblems[code] ?? '' });
  if (isOfCertificate(code)) return make(refused('the certificate of its endpoint is not trusted'));
  if (status !== null && byStatus[status]) return make(byStatus[status], `HTTP ${status}`);
  if (status !== null && status >= 500) return make(busy('the server failed'), `HTTP ${status}`);
  const said = String(thrown.message ?? error)
    .replaceAll(/\s+/g, ' ')
    .slice(0, 300);
  // What is no answer of S3 at all: cut short, timed out, or not what it should be.
  if (status === null || status < 300)
    return new BucketError('broken', `no whole answer came: ${said}`, null, { cause: error });
  return new BucketError('refused', `the server refused it: ${said} (${code || 'no code'}, HTTP ${status})`, null, {
    cause: error,
  });
}

/** What Azure and its client say, as a clause for a person and what may help. */
import { BucketError, type BucketTrouble } from './bucket.ts';
import { isOfCertificate, networkProblems, retryAfterMs } from './provider-errors.ts';

interface Known {
  trouble: BucketTrouble;
  why: string;
}

const refused = (why: string): Known => ({ trouble: 'refused', why });
const busy = (why: string): Known => ({ trouble: 'busy', why });
const damaged: Known = { trouble: 'damaged', why: 'the bytes that arrived were others' };
const gone = (why: string): Known => ({ trouble: 'gone', why });
const never = (why: string): Known => ({ trouble: 'never', why });
const renew = 'renew the Azure credentials of this worker';
const denied = refused('access denied; docs/stores.md lists the permissions that a store needs');
const clock = refused("the clock of this host is off by more than Azure allows: set it by a time server's");
const expired = refused(`the shared access signature has expired, or is not valid yet: ${renew}`);
const slow: Known = { trouble: 'broken', why: 'the connection was too slow or broke off' };

const known: Readonly<Record<string, Known>> = {
  ContainerNotFound: refused('the container does not exist'),
  ContainerBeingDeleted: refused('the container is being deleted'),
  ContainerDisabled: refused('access to the container is disabled'),
  AccountIsDisabled: refused('the storage account is disabled'),
  AuthenticationFailed: refused(`the server does not accept the credentials: ${renew}`),
  InvalidAuthenticationInfo: refused(`the server does not accept the credentials: ${renew}`),
  NoAuthenticationInformation: refused('the server wants credentials, and this worker has none'),
  KeyBasedAuthenticationNotPermitted: refused('the storage account takes no access keys: use an identity'),
  AuthorizationFailure: denied,
  AuthorizationPermissionMismatch: denied,
  AuthorizationResourceTypeMismatch: denied,
  AuthorizationServiceMismatch: denied,
  AuthorizationProtocolMismatch: refused('the credentials are for https alone'),
  AuthorizationSourceIPMismatch: refused('the credentials are not for the address of this host'),
  InsufficientAccountPermissions: denied,
  UnauthorizedBlobOverwrite: denied,
  PublicAccessNotPermitted: refused('the server wants credentials, and this worker has none'),
  ResourceNotFound: refused('the container does not exist'),
  BlobArchived: refused('the blob is in the archive tier, and has to be restored first'),
  BlobBeingRehydrated: refused('the blob is in the archive tier, and has to be restored first'),
  BlobImmutableDueToPolicy: refused('a policy of the container keeps what is there from being changed'),
  LeaseIdMissing: refused('somebody holds a lease on what is there'),
  InvalidBlobOrBlock: refused('blocks of another program are there under this name; Azure drops them after a week'),
  InvalidBlobType: never('a blob of another type is there'),
  InvalidResourceName: never('the path is not one that Azure takes'),
  InvalidUri: never('the path is not one that Azure takes'),
  RequestBodyTooLarge: never('the file is too large for the server'),
  BlockCountExceedsLimit: never('the file is too large for the server'),
  BlockListTooLong: never('the file is too large for the server'),
  ServerBusy: busy('the server asks for fewer requests'),
  OperationTimedOut: busy('the server took too long'),
  InternalError: busy('the server failed'),
  PendingCopyOperation: busy('another request for the same path is under way'),
  Md5Mismatch: damaged,
  Crc64Mismatch: damaged,
  InvalidMd5: damaged,
  InvalidBlockList: gone('a part of the upload is not there any longer'),
  InvalidBlockId: gone('a part of the upload is not there any longer'),
  BlobNotFound: gone('the object is not there'),
  ConditionNotMet: gone('the object has changed'),
  InvalidInput: refused('the server does not understand the request'),
  CredentialUnavailableError: refused('no Azure credentials were found on this worker'),
  CredentialUnavailable: refused('no Azure credentials were found on this worker'),
  AggregateAuthenticationError: refused('no Azure credentials were found on this worker'),
  AuthenticationRequiredError: refused('no Azure credentials were found on this worker'),
  AuthenticationError: refused(`Azure does not accept the identity of this worker: ${renew}`),
};

const byStatus: Readonly<Record<number, Known>> = {
  401: refused(`the server does not accept the credentials: ${renew}`),
  403: denied,
  404: gone('the object is not there'),
  405: refused('the server takes no writes: it is read-only'),
  408: slow,
  412: gone('the object has changed'),
  429: busy('the server asks for fewer requests'),
  507: refused('no space is left on the server'),
};

interface Thrown {
  name?: unknown;
  code?: unknown;
  message?: unknown;
  statusCode?: unknown;
  details?: { errorCode?: unknown; authenticationErrorDetail?: unknown };
  response?: { headers?: { get: (name: string) => string | undefined }; bodyAsText?: string | null };
}

export const statusOf = (error: unknown): number | null => {
  const { statusCode } = (error ?? {}) as Thrown;
  return typeof statusCode === 'number' ? statusCode : null;
};

/** The name of Azure's error, which a HEAD tells by a header alone, else the code of the system's. */
export function codeOf(error: unknown): string {
  const { code, details, response, name } = (error ?? {}) as Thrown;
  const told = [response?.headers?.get('x-ms-error-code'), details?.errorCode, code, name];
  return told.find((one): one is string => typeof one === 'string' && /^\w+$/.test(one) && one !== 'RestError') ?? '';
}

/** Whether other credentials may mend it, or nothing is known of it. */
export const isOfCredentials = (error: unknown): boolean =>
  [401, 403, null].includes(statusOf(error)) || codeOf(error) === 'AuthenticationError';

/** One code for what is wrong with a signature, which its detail tells. */
function authentication(thrown: Thrown): Known {
  const detail = `${thrown.details?.authenticationErrorDetail ?? ''} ${thrown.response?.bodyAsText ?? ''}`;
  if (/specified time frame|Signed expiry|expiry time/i.test(detail)) return expired;
  if (/date header/i.test(detail)) return clock;
  return known.AuthenticationFailed as Known;
}

export function azureError(error: unknown): BucketError {
  if (error instanceof BucketError) return error;
  const thrown = (error ?? {}) as Thrown;
  const code = codeOf(error);
  const status = statusOf(error);
  const retryAfter =
    Number(thrown.response?.headers?.get('x-ms-retry-after-ms') ?? 0) ||
    retryAfterMs(thrown.response?.headers?.get('retry-after'));
  const make = ({ trouble, why }: Known, shown = code) =>
    new BucketError(trouble, shown ? `${why} (${shown})` : why, retryAfter, { cause: error });
  if (code === 'AuthenticationFailed') return make(authentication(thrown));
  if (code === 'AuthenticationError' && /network_error/.test(String(thrown.message)))
    return make({ trouble: 'broken', why: "Azure's login service does not answer" });
  const one = Object.hasOwn(known, code) ? known[code] : undefined;
  if (one) return make(one);
  if (Object.hasOwn(networkProblems, code)) return make({ trouble: 'broken', why: networkProblems[code] ?? '' });
  if (isOfCertificate(code)) return make(refused('the certificate of its endpoint is not trusted'));
  const said = saidBy(thrown);
  // The emulator has one name for everything that is wrong with a request.
  if (code === 'InvalidOperation' && /contentMD5/.test(said)) return make(damaged);
  if (code === 'InvalidOperation' && /size of the request body/.test(said)) return make(slow);
  if (status !== null && byStatus[status]) return make(byStatus[status], `HTTP ${status}`);
  if (status !== null && status >= 500) return make(busy('the server failed'), `HTTP ${status}`);
  // What is no answer of Azure at all: cut short, timed out, or not what it should be.
  if (status === null || status < 300)
    return new BucketError('broken', `no whole answer came: ${said}`, null, { cause: error });
  return new BucketError('refused', `the server refused it: ${said} (${code || 'no code'}, HTTP ${status})`, null, {
    cause: error,
  });
}

/** On one line, and without a signature that is part of an address. */
const saidBy = ({ message }: Thrown): string =>
  String(message)
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/\bsig=[^&\s"']+/gi, 'sig=…')
    .slice(0, 300);

/** What the file system said, as a sentence for a person and whether the same call may succeed later. */
import { StoreError } from './artifact-store.ts';

/**
 * Worth another try: the disk may be freed, the mount come back, the permission be given, what is in the way be moved
 * while publishing is retried. Whatever is not here stays as it is until the configuration changes.
 */
const retryableCodes: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on its disk',
  EDQUOT: 'its disk quota is used up',
  EROFS: 'its file system is mounted read-only',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EIO: 'its disk reports an input/output error',
  ENOENT: 'it does not exist',
  ENOTDIR: 'a file is where a folder is needed',
  EISDIR: 'a folder is where a file is needed',
  ESTALE: 'its network mount is stale',
  ETIMEDOUT: 'its network mount does not answer',
  ENOTCONN: 'its network mount is not connected',
  EHOSTDOWN: 'its server is down',
  EBUSY: 'it is busy',
  EAGAIN: 'it is busy',
  EMFILE: 'too many files are open in this process',
  ENFILE: 'too many files are open on this host',
};

const finalCodes: Readonly<Record<string, string>> = {
  ENAMETOOLONG: 'the name is too long for its file system',
  ELOOP: 'symbolic links form a loop',
  EFBIG: 'the file is too large for its file system',
  EEXIST: 'it exists already',
};

/** `doing` is a clause such as `cannot write /store/a/b`. */
export function storeError(doing: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code = codeOf(error);
  const retryable = code !== null && Object.hasOwn(retryableCodes, code);
  const why =
    (code && (retryableCodes[code] ?? finalCodes[code])) ?? (error instanceof Error ? error.message : String(error));
  return new StoreError(`${doing}: ${why}${code ? ` (${code})` : ''}`, retryable, { cause: error });
}

export function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

/** Errors of the file system become StoreErrors that begin with `doing`; an abort stays what the signal says. */
export async function guarded<T>(doing: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal?.throwIfAborted();
    throw storeError(doing, error);
  }
}

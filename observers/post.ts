/** A POST of JSON to a web service, whose address may be a secret: no error tells it. */

const answerTimeout = 10_000;

/** Its status. `who` is what errors call the service. Throws what is to be tried again. */
export async function post(
  who: string,
  address: string,
  body: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<number> {
  const ended = new AbortController();
  const end = () => ended.abort();
  const timer = setTimeout(end, answerTimeout);
  signal.addEventListener('abort', end, { once: true });
  try {
    signal.throwIfAborted();
    const answer = await fetch(address, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
      redirect: 'manual',
      signal: ended.signal,
    });
    await answer.body?.cancel();
    return answer.status;
  } catch (error) {
    // What happened, and not where: an address may hold a secret, and this is kept in the run's history.
    if (signal.aborted) throw error;
    throw new Error(
      ended.signal.aborted ? `${who} has not answered within ${answerTimeout / 1000} s` : unsent(who, error),
    );
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}

/** What of a request it does not take, it would not take another time; what follows, it may. The others speak of the address or the secret, which can be mended. */
const isRefused = (status: number) => [400, 409, 410, 413, 415, 422].includes(status);

/** Null where it was taken; a sentence where it never will be. Throws what is to be tried again. */
export function refusalOf(who: string, status: number): string | null {
  if (isRefused(status)) return `${who} answers ${status}`;
  if (status < 200 || status > 299) throw new Error(`${who} answers ${status}`);
  return null;
}

function unsent(who: string, error: unknown): string {
  const cause = error instanceof Error ? error.cause : null;
  const code = typeof cause === 'object' && cause !== null ? Reflect.get(cause, 'code') : null;
  return `${who} cannot be reached${typeof code === 'string' ? `: ${code}` : ''}`;
}

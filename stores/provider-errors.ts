/** What is said in the same way of every provider: of connections that break, and of the time it asks for. */

/** By the system's code; what may help is another try. */
export const networkProblems: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody answers at its endpoint',
  ECONNRESET: 'the connection broke off',
  EPIPE: 'the connection broke off',
  ETIMEDOUT: 'its endpoint does not answer',
  EHOSTUNREACH: 'its endpoint cannot be reached',
  ENETUNREACH: 'its endpoint cannot be reached',
  ENOTFOUND: 'the host name of its endpoint is not known',
  EAI_AGAIN: 'the host name of its endpoint could not be looked up',
  ERR_STREAM_PREMATURE_CLOSE: 'the connection broke off',
};

export const isOfCertificate = (code: string): boolean => /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code);

/** Milliseconds of a `retry-after` header, in both of its forms. */
export function retryAfterMs(value: string | undefined | null): number | null {
  if (value === undefined || value === null) return null;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? ms : null;
}

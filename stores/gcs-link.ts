/**
 * Addresses of objects that are signed for a while (Google's V4 signatures). A service account signs: by its key here, or through Google where its
 * key is not on this machine and it may sign for itself. A person's login cannot.
 */
import type { LinkOptions } from './bucket.ts';
import { emulatorAddress, googleVariables } from './gcs-client.ts';
import { credentialsError, gcsError } from './gcs-errors.ts';
import { linkEndpoint } from './link-endpoint.ts';
import { percentEncoded } from './percent-encoded.ts';
import { sha256Hex } from './sha256.ts';
import { SharedClient } from './shared-client.ts';
import { IdleSignal } from './stalled.ts';

const google = 'https://storage.googleapis.com';

/** Its tokens are good for signing, and for nothing that is stored. */
const signers = new SharedClient(googleVariables, async () => {
  const { GoogleAuth } = await import('./gcs-sdk.ts');
  return new GoogleAuth({ scopes: 'https://www.googleapis.com/auth/iam' });
});

interface Signer {
  email: string;
  /** In base64; null where it may not. */
  sign: (text: string) => Promise<string | null>;
}

/** `now`: by Google's clock. Null where this worker cannot sign, and where nobody but it is known to reach the server. */
export async function gcsLink(
  at: { bucket: string; key: string },
  { seconds, type, disposition }: LinkOptions,
  now: number,
): Promise<string | null> {
  const endpoint = linkEndpoint('EPOCHAL_LINK_ENDPOINT_GCS', emulatorAddress() === null ? google : null);
  if (endpoint === null) return null;
  const idle = new IdleSignal(undefined);
  try {
    const signer = await idle.race(signerOf());
    if (signer === null) return null;
    const answer = { 'response-content-disposition': disposition, 'response-content-type': type };
    return await idle.race(signedAddress(endpoint, at, answer, { seconds, now, signer }));
  } catch (error) {
    throw gcsError(idle.asBroken(error));
  } finally {
    idle.end();
  }
}

async function signerOf(): Promise<Signer | null> {
  const auth = await signers.get();
  const failed = (error: unknown): never => {
    signers.forget(auth);
    throw credentialsError(error);
  };
  const { client_email: email } = await auth.getCredentials().catch(failed);
  if (!email) return null;
  const sign = (text: string) => auth.sign(text).catch((error: unknown) => (isDenied(error) ? null : failed(error)));
  return { email, sign };
}

/** Exported for its test. */
export async function signedAddress(
  endpoint: string,
  at: { bucket: string; key: string },
  answer: Record<string, string>,
  { seconds, now, signer }: { seconds: number; now: number; signer: Signer },
): Promise<string | null> {
  const { host, pathname } = new URL(endpoint);
  const time = new Date(now).toISOString().replace(/\.\d+/, '').replace(/[-:]/g, '');
  const scope = `${time.slice(0, 8)}/auto/storage/goog4_request`;
  const query = Object.entries({
    'X-Goog-Algorithm': 'GOOG4-RSA-SHA256',
    'X-Goog-Credential': `${signer.email}/${scope}`,
    'X-Goog-Date': time,
    'X-Goog-Expires': `${seconds}`,
    'X-Goog-SignedHeaders': 'host',
    ...answer,
  })
    .map(([name, value]) => `${percentEncoded(name)}=${percentEncoded(value)}`)
    .sort()
    .join('&');
  const path = `${pathname.replace(/\/+$/, '')}/${at.bucket}/${at.key.split('/').map(percentEncoded).join('/')}`;
  const request = ['GET', path, query, `host:${host}`, '', 'host', 'UNSIGNED-PAYLOAD'].join('\n');
  const digest = sha256Hex(request);
  const signature = await signer.sign(['GOOG4-RSA-SHA256', time, scope, digest].join('\n'));
  if (signature === null) return null;
  const hex = Buffer.from(signature, 'base64').toString('hex');
  return `${new URL(endpoint).origin}${path}?${query}&X-Goog-Signature=${hex}`;
}

/** Google answered that it may not: no right to sign, or none that anybody has given it. */
function isDenied(error: unknown): boolean {
  const { status, response } = (error ?? {}) as { status?: unknown; response?: { status?: unknown } };
  return [status, response?.status].includes(403);
}

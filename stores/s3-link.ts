/** Addresses of objects that are signed for a while. The SDK signs them; nothing is sent. */
import type { LinkOptions } from './bucket.ts';
import { percentEncoded } from './percent-encoded.ts';
import type { S3Connection } from './s3-client.ts';

interface SignedRequest {
  protocol: string;
  hostname: string;
  port?: number;
  path: string;
  query?: Record<string, string | string[] | null>;
  headers: Record<string, string>;
}

/** What the SDK's own signer can do beside signing. */
interface Presigner {
  presign(
    request: SignedRequest,
    how: { expiresIn: number; signingDate: Date; signingRegion: string; signingService: string },
  ): Promise<SignedRequest>;
}

/** `now`: by the clock of S3, which says when it ends. Null where nobody but this host is known to reach the server by its address. */
export async function presigned(
  { sdk, links }: S3Connection,
  at: { Bucket: string; Key: string },
  { seconds, type, disposition }: LinkOptions,
  now: number,
): Promise<string | null> {
  if (links === null) return null;
  const { config } = links;
  const command = new sdk.GetObjectCommand({
    ...at,
    ResponseContentType: type,
    ResponseContentDisposition: disposition,
  });
  let signed = null as SignedRequest | null;
  const { middlewareStack } = command as unknown as {
    middlewareStack: { addRelativeTo: (middleware: unknown, options: object) => void };
  };
  // In the place of the signature in a header, and of the request.
  middlewareStack.addRelativeTo(
    () => async (args: { request: SignedRequest }) => {
      const { request } = args;
      // Whoever follows it sends no headers of ours.
      request.headers = { host: hostOf(request), 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
      const region = await config.region();
      const scheme = { name: 'sigv4', signingName: 's3', signingRegion: region, properties: {} };
      const signer = (await config.signer(scheme as never)) as unknown as Presigner;
      signed = await signer.presign(request, {
        expiresIn: seconds,
        signingDate: new Date(now),
        signingRegion: region,
        signingService: 's3',
      });
      return { response: {}, output: { $metadata: {} } };
    },
    { relation: 'before', toMiddleware: 'httpSigningMiddleware', name: 'epochalPresign' },
  );
  await links.send(command);
  return signed && addressOf(signed);
}

const hostOf = ({ hostname, port }: SignedRequest): string => (port === undefined ? hostname : `${hostname}:${port}`);

function addressOf(request: SignedRequest): string {
  const query = Object.entries(request.query ?? {})
    .flatMap(([name, value]) => [value ?? ''].flat().map((one) => `${percentEncoded(name)}=${percentEncoded(one)}`))
    .sort()
    .join('&');
  return `${request.protocol}//${hostOf(request)}${request.path}?${query}`;
}

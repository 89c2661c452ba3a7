/**
 * The client of the AWS SDK, by the standard settings of AWS: environment and `~/.aws/config`. Credentials come from its own default chain, and
 * are never read here.
 */
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { SharedClient } from './shared-client.ts';

export type Sdk = typeof import('./aws-s3.ts');
export interface S3Connection {
  sdk: Sdk;
  client: S3Client;
  /** For addresses that others are given; null where nobody says that they reach the server, or nobody is to have any. */
  links: S3Client | null;
}

/** A connection on which nothing moves for so long is given up. */
export const idleMs = 60_000;

/** The one of this process. */
export const s3Connection = new SharedClient(
  [
    'EPOCHAL_LINK_ENDPOINT',
    'AWS_ENDPOINT_URL_S3',
    'AWS_ENDPOINT_URL',
    'AWS_REGION',
    'AWS_DEFAULT_REGION',
    'AWS_PROFILE',
    ...['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'],
  ],
  connect,
);

async function connect(): Promise<S3Connection> {
  // It tells of Node versions that later ones of it need: this one comes with the package, and is chosen there.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const sdk = await import('./aws-s3.ts');
  const profile = await profileSettings(sdk);
  const { env } = process;
  const endpoint = env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || profile.endpoint_url;
  const style = profile['s3.addressing_style'];
  const settings: S3ClientConfig = {
    region: env.AWS_REGION || env.AWS_DEFAULT_REGION || profile.region || 'us-east-1',
    // As AWS's own command line: a server of one's own rarely has a name for each bucket.
    forcePathStyle: style === 'path' || (endpoint !== undefined && style !== 'virtual'),
    // Tried again by us, who can say so meanwhile, and who know what is worth it.
    maxAttempts: 1,
    // Each request of ours has the checksum that we compare, and no second one.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    requestHandler: { connectionTimeout: 10_000, socketTimeout: idleMs },
  };
  const client = new sdk.S3Client(settings);
  // AWS itself is reached from everywhere; of a server of one's own only a person knows by which address.
  const linkEndpoint = env.EPOCHAL_LINK_ENDPOINT || (endpoint === undefined ? null : 'none');
  const linksFrom = (address: string) =>
    new sdk.S3Client({ ...settings, endpoint: address, forcePathStyle: style !== 'virtual' });
  const links = linkEndpoint === null ? client : linkEndpoint === 'none' ? null : linksFrom(linkEndpoint);
  return { sdk, client, links };
}

/** Of the chosen profile in `~/.aws/config`, nested ones with a dot; the SDK has no setting for how buckets are addressed. */
async function profileSettings({
  loadSharedConfigFiles,
  getProfileName,
}: Sdk): Promise<Record<string, string | undefined>> {
  // The SDK keeps both files for the whole process, and reads the credentials from what it keeps.
  const { configFile } = await loadSharedConfigFiles({ ignoreCache: true });
  return configFile[getProfileName({})] ?? {};
}

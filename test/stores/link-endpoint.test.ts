/** By which address links to files in buckets lead there, and where there are none. */
import { expect, it } from 'vitest';
import { AzureBucket } from '../../stores/azure-bucket.ts';
import { s3Connection } from '../../stores/s3-client.ts';
import { presigned } from '../../stores/s3-link.ts';
import { withVariables } from './servers/object-stage.ts';

const own = 'http://127.0.0.1:1';
it.each([
  [undefined, undefined, 'amazonaws.com'],
  [undefined, own, null],
  ['https://s3.example.org', own, 's3.example.org'],
  ['https://s3.example.org', undefined, 's3.example.org'],
  ['none', undefined, null],
  ['none', own, null],
])('EPOCHAL_LINK_ENDPOINT=%s with a server at %s: %s', async (links, server, host) => {
  const variables = {
    ...{ EPOCHAL_LINK_ENDPOINT: links, AWS_ENDPOINT_URL_S3: server, AWS_ENDPOINT_URL: undefined },
    ...{ AWS_CONFIG_FILE: '/nonexistent', AWS_SHARED_CREDENTIALS_FILE: '/nonexistent' },
    ...{ AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: 'eu-central-1' },
  };
  const link = await withVariables(variables, async () =>
    presigned(
      await s3Connection.get(),
      { Bucket: 'bucket', Key: 'a/file' },
      { seconds: 10, type: 'text/plain', disposition: 'attachment' },
      Date.UTC(2030, 0, 2, 3, 4, 5),
    ),
  );
  if (host === null) return expect(link).toBeNull();
  const { host: to, searchParams } = new URL(link ?? '');
  expect(to).toMatch(new RegExp(`${host.replaceAll('.', '\\.')}$`));
  // By the clock of S3: that of a worker may be wrong.
  expect(searchParams.get('X-Amz-Date')).toBe('20300102T030405Z');
});

it.each([
  [{}, 'account.blob.core.windows.net'],
  [{ EPOCHAL_LINK_ENDPOINT: 'https://s3.example.org' }, 'account.blob.core.windows.net'],
  [{ EPOCHAL_LINK_ENDPOINT: 'none' }, null],
  [{ EPOCHAL_LINK_ENDPOINT_AZURE: 'none' }, null],
  [{ AZURE_STORAGE_SERVICE_ENDPOINT: own }, null],
  [
    { AZURE_STORAGE_SERVICE_ENDPOINT: own, EPOCHAL_LINK_ENDPOINT_AZURE: 'https://blobs.example.org/x/' },
    'blobs.example.org',
  ],
  [{ AZURE_STORAGE_KEY: undefined, AZURE_STORAGE_SAS_TOKEN: 'sv=1&sig=x' }, null],
])('links to Azure with %j lead to %s', async (more, host) => {
  const none = { EPOCHAL_LINK_ENDPOINT: undefined, AZURE_STORAGE_CONNECTION_STRING: undefined };
  const key = { AZURE_STORAGE_ACCOUNT: 'account', AZURE_STORAGE_KEY: Buffer.from('key').toString('base64') };
  const link = await withVariables({ ...none, ...key, ...more }, () =>
    new AzureBucket('container').link('a/file', { seconds: 10, type: 'text/plain', disposition: 'attachment' }),
  );
  if (host === null) return expect(link).toBeNull();
  const { host: to, pathname, searchParams } = new URL(link ?? '');
  expect(to).toBe(host);
  expect(pathname).toMatch(/^(\/x)?\/container\/a\/file$/);
  expect([searchParams.get('sp'), searchParams.get('spr')]).toEqual(['r', 'https']);
});

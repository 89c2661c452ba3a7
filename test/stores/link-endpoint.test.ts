/** By which address links to files on S3 lead there, and where there are none. */
import { expect, it } from 'vitest';
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
    ),
  );
  if (host === null) return expect(link).toBeNull();
  expect(new URL(link ?? '').host).toMatch(new RegExp(`${host.replaceAll('.', '\\.')}$`));
});

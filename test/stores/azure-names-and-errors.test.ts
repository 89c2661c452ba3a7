/** What an upload to Azure keeps in the names of its blocks, and what is said where the emulator of the other tests says nothing. */
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { blockName, blockOf } from '../../stores/azure-blocks.ts';
import { AzureBucket } from '../../stores/azure-bucket.ts';
import { azureError } from '../../stores/azure-errors.ts';
import { ObjectRoot } from '../../stores/object-root.ts';
import { patient } from '../../stores/retries.ts';
import { S3Bucket } from '../../stores/s3-bucket.ts';
import { newUploadId } from '../../stores/upload-id.ts';

it('has the upload, number, time and digest of a block in its name, and all names are equally long', () => {
  const at = Date.UTC(2026, 10, 30, 12, 0, 5);
  for (const number of [1, 255, 256, 50_000]) {
    const [upload, sha256] = [newUploadId(at), randomBytes(32)];
    const name = blockName(upload, number, at, sha256);
    // As Azure counts: at most 64 before they are base64.
    expect(Buffer.from(name, 'base64')).toHaveLength(48);
    const block = blockOf(name, 7);
    expect(block).toMatchObject({ upload, number, storedAt: new Date(at), size: 7, etag: name });
    expect(Buffer.compare(block?.sha256 ?? Buffer.alloc(0), sha256)).toBe(0);
  }
});

it.each(['', 'AAAAAAAA', Buffer.alloc(48).toString('base64'), Buffer.alloc(47, 'E1').toString('base64')])(
  'takes no block of another program for its own: %j',
  (name) => expect(blockOf(name, 7)).toBeNull(),
);

const refused = (detail: string) => ({
  statusCode: 403,
  details: { errorCode: 'AuthenticationFailed', authenticationErrorDetail: detail },
  message: 'Server failed to authenticate the request.',
});

it.each([
  [
    refused('Signature not valid in the specified time frame: Start [..] - Expiry [..] - Current [..]'),
    'refused',
    /^the shared access signature has expired, or is not valid yet: renew the Azure credentials of this worker/,
  ],
  [
    refused("Request date header too old: 'Mon, 30 Nov 2026 09:00:00 GMT'"),
    'refused',
    /^the clock of this host is off/,
  ],
  [
    refused('The MAC signature found in the HTTP request is not the same'),
    'refused',
    /^the server does not accept the/,
  ],
  [
    { name: 'AggregateAuthenticationError', message: 'x' },
    'refused',
    /^no Azure credentials were found on this worker/,
  ],
  [{ name: 'AuthenticationError', statusCode: 400, message: 'network_error: x' }, 'broken', /^Azure's login service/],
  [{ name: 'AuthenticationError', statusCode: 401, message: 'x' }, 'refused', /^Azure does not accept the identity/],
  [{ name: 'RestError', code: 'ENOTFOUND', message: 'x' }, 'broken', /^the host name of its endpoint is not known/],
  [
    { name: 'RestError', code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
    'refused',
    /^the certificate of its endpoint is not trusted/,
  ],
  [{ statusCode: 503, message: 'x' }, 'busy', /^the server failed \(HTTP 503\)/],
  [
    { message: 'cut off at https://x/y?sv=1&sig=abc%2Fdef&se=2' },
    'broken',
    /^no whole answer came: cut off at .*sig=…&se=2$/,
  ],
])('says of %j in a clause what it is', (error, trouble, why) => {
  const told = azureError(error);
  expect(told.trouble).toBe(trouble);
  expect(told.message).toMatch(why);
});

it('refuses a path that Azure would keep under another name, for good; elsewhere it is one', () => {
  const rootIn = (bucket: AzureBucket | S3Bucket) => new ObjectRoot(bucket, 'prefix', true, null, patient);
  for (const path of ['artifacts/a.', 'artifacts./a', 'a...']) {
    expect(() => rootIn(new AzureBucket('container')).keyOf(path)).toThrow(
      expect.objectContaining({
        message: `path is ${JSON.stringify(path)}: it has a name that ends with a dot, which Azure does not keep`,
        retryable: false,
      }),
    );
    expect(rootIn(new S3Bucket('bucket')).keyOf(path)).toBe(`prefix/${path}`);
  }
  expect(rootIn(new AzureBucket('container')).keyOf('.hidden/a.b')).toBe('prefix/.hidden/a.b');
});

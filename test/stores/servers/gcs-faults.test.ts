/** A store on Google Cloud Storage in trouble. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GcsBucket } from '../../../stores/gcs-bucket.ts';
import { errorOf } from './fault-checks.ts';
import type { Fault, Seen } from './fault-proxy.ts';
import { testGcsBucket } from './gcs-server.ts';
import { gcs, hasGcs } from './gcs-stage.ts';
import { objectFaults } from './object-faults.ts';
import { withVariables } from './object-stage.ts';
import { sha256 } from './store-contract.ts';

const isUpload = ({ method, url }: Seen) => method === 'POST' && url.startsWith('/upload/');
const refusal = (status: number, reason: string, headers: Record<string, string> = {}, message = 'no'): Fault => ({
  kind: 'answer',
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify({ error: { code: status, message, errors: [{ reason, message }] } }),
});

describe.skipIf(!hasGcs)('Google Cloud Storage', () => {
  const { smallPart } = gcs;
  if (hasGcs) gcs.hooks();

  objectFaults(gcs, {
    isPut: isUpload,
    isPart: (seen) => isUpload(seen) && seen.url.includes('.epochal-upload-'),
    isCompleted: ({ url }) => url.includes('/compose'),
    isGet: ({ url }) => url.includes('a%2Ffile?') && url.includes('alt=media'),
    isNextPage: ({ url }) => url.includes('pageToken='),
    corrupt: { kind: 'corruptRequest', at: 900 },
    throttle: (headers) => refusal(429, 'rateLimitExceeded', headers),
    throttled: 'the server asks for fewer requests (rateLimitExceeded)',
    gone: refusal(404, 'notFound', {}, 'No such object: x'),
    overhead: 20_000,
  });

  it('puts together more parts than it takes at once, and has none of them then', async () => {
    const bytes = randomBytes(10 * smallPart + 1);
    const bucket = new GcsBucket(testGcsBucket, { partBytes: smallPart, mostSources: 3 });
    const store = gcs.inSmallParts({ bucket });
    const published = await store.publish(await gcs.local('file', bytes), 'a/file');
    expect(gcs.proxy.seen.filter(({ url }) => url.includes('/compose'))).toHaveLength(4 + 2 + 1);
    expect(published.sha256).toBe(sha256(bytes));
    expect(sha256((await gcs.store.read('a/file')) ?? '')).toBe(published.sha256);
    expect(await gcs.uploadsLeft()).toEqual([]);
  });

  it('a part whose bytes are others than its name says is sent again', async () => {
    const bytes = randomBytes(2 * smallPart);
    const [bucket, key] = [gcs.bucket(), `${gcs.prefix}/a/file`];
    const upload = await bucket.beginUpload(key, {});
    const named = Buffer.from(sha256(bytes.subarray(0, smallPart)), 'hex');
    await bucket.putPart(key, upload, 1, randomBytes(smallPart), named, {});
    const published = await gcs.inSmallParts().publish(await gcs.local('file', bytes), 'a/file');
    expect(published.sha256).toBe(sha256(bytes));
    expect(sha256((await gcs.store.read('a/file')) ?? '')).toBe(published.sha256);
    expect(await gcs.uploadsLeft()).toEqual([]);
  });

  it('whose checksum of what it has put together is another one has no such file', async () => {
    const others = JSON.stringify({ name: 'x', size: '2500000', generation: '1', crc32c: 'AAAAAA==' });
    const answer: Fault = {
      kind: 'answer',
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: others,
    };
    gcs.proxy.break(({ url }) => url.includes('/compose'), answer, Number.POSITIVE_INFINITY);
    const work = gcs.impatient().publish(await gcs.local('file', randomBytes(2_500_000)), 'a/file');
    expect(await errorOf(work)).toMatchObject({
      message: `cannot write ${gcs.address}/a/file: the parts were put together to other bytes`,
      retryable: true,
    });
    expect(await gcs.store.verify('a/file')).toBeNull();
  });

  it.each([
    [404, 'notFound', 'The specified bucket does not exist.', 'the bucket does not exist (notFound)'],
    [403, 'forbidden', 'no', 'access denied; docs/stores.md lists the permissions that a store needs (forbidden)'],
    [
      401,
      'authError',
      'Invalid Credentials',
      'the server does not accept the credentials: renew the Google Cloud credentials of this worker (authError)',
    ],
    [403, 'quotaExceeded', 'no', 'the quota of the project is used up (quotaExceeded)'],
    [400, 'unheard', 'no', 'the server refused it: no (unheard, HTTP 400)'],
  ])(
    'that says %i %s is told in a sentence, at once, and may be asked again later',
    async (status, reason, message, why) => {
      gcs.proxy.break(() => true, refusal(status, reason, {}, message), Number.POSITIVE_INFINITY);
      expect(await errorOf(gcs.store.checkWritable(false))).toMatchObject({
        message: `cannot write in ${gcs.address}: ${why}`,
        retryable: true,
      });
      expect(gcs.proxy.seen).toHaveLength(1);
    },
  );

  it('by another port, or without credentials that are any: what is wrong, and nothing of them', async () => {
    const refused = async (change: Record<string, string | undefined>) =>
      (await withVariables(change, () => errorOf(gcs.impatient().checkWritable(false)))).message;
    expect(await refused({ STORAGE_EMULATOR_HOST: '127.0.0.1:1' })).toContain('nobody answers at its endpoint');
    const unsigned = { STORAGE_EMULATOR_HOST: undefined };
    expect(await refused({ ...unsigned, GOOGLE_APPLICATION_CREDENTIALS: join(gcs.folder, 'none') })).toContain(
      'the file that GOOGLE_APPLICATION_CREDENTIALS names is not there',
    );
    const file = await gcs.local(
      'credentials.json',
      JSON.stringify({ type: 'service_account', private_key: 'topsecret' }),
    );
    const said = await refused({ ...unsigned, GOOGLE_APPLICATION_CREDENTIALS: file });
    expect(said).toContain('the Google Cloud credentials of this worker are not valid');
    expect(said).not.toContain('topsecret');
  });
});

/** S3 that throttles, breaks off, damages and refuses: waited for, or said in a sentence; never half a file, never another one's. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DamagedError } from '../../../stores/artifact-store.ts';
import { openStore } from '../../../stores/open-store.ts';
import { patient } from '../../../stores/retries.ts';
import { errorOf } from './fault-checks.ts';
import type { Fault, Seen } from './fault-proxy.ts';
import { objectFaults } from './object-faults.ts';
import { hasS3, onServer, requests, s3 } from './s3-stage.ts';
import { sha256 } from './store-contract.ts';

/** Three parts, as stores have them. */
const large = 40_000_000;
const isPut = ({ method }: Seen) => method === 'PUT';
const isPart = ({ method, url }: Seen) => method === 'PUT' && url.includes('partNumber=');
const isCompleted = ({ method, url }: Seen) => method === 'POST' && url.includes('uploadId=');
const isGet = ({ method, url }: Seen) => method === 'GET' && url.includes('/a/file');
const refusal = (status: number, code: string, headers: Record<string, string> = {}): Fault => ({
  kind: 'answer',
  status,
  headers: { 'content-type': 'application/xml', ...headers },
  body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>no</Message></Error>`,
});

describe.skipIf(!hasS3)('S3', () => {
  if (hasS3) s3.hooks();

  objectFaults(s3, {
    isPut,
    isPart,
    isCompleted,
    isGet,
    isNextPage: ({ url }) => url.includes('continuation-token='),
    corrupt: { kind: 'corruptRequest' },
    throttle: (headers) => refusal(503, 'SlowDown', headers),
    throttled: 'the server asks for fewer requests (SlowDown)',
    gone: refusal(404, 'NoSuchUpload'),
    overhead: 5000,
  });

  const published = async (bytes: Uint8Array) => {
    const found = await s3.store.publish(await s3.local('file', bytes), 'a/file');
    expect(s3.proxy.pending).toBe(0);
    expect(found).toEqual({ path: 'a/file', size: bytes.length, sha256: sha256(bytes) });
    expect(sha256((await openStore(s3.address).read('a/file')) ?? '')).toBe(found.sha256);
    return found;
  };

  it('that says nothing of what it has checked is read back', async () => {
    const silent: Fault = { kind: 'dropAnswerHeaders', names: /^x-amz-checksum/ };
    s3.proxy.break(isPut, silent, Number.POSITIVE_INFINITY);
    await s3.store.publish(await s3.local('file', randomBytes(1000)), 'b/file');
    expect(requests('GET', 'b/file')).toHaveLength(1);
    expect(s3.store.proofOf('b/file')).toBe('readBack');
    s3.proxy.break((seen) => requests('GET', 'c/file').includes(seen), { kind: 'corruptAnswer' });
    expect(await errorOf(s3.store.publish(join(s3.folder, 'file'), 'c/file'))).toMatchObject({
      message: expect.stringMatching(
        /reads back as 1000 bytes with sha256 .* where 1000 bytes with sha256 .* was written/,
      ),
      retryable: true,
    });
  });

  it('that stops sending on a connection that stays open is read on from there', async () => {
    const bytes = randomBytes(large);
    const { size, sha256: digest } = await published(bytes);
    s3.proxy.heal();
    s3.proxy.break(isGet, { kind: 'stallAnswer', after: 30_000_000 });
    const waits: string[] = [];
    const back = join(s3.folder, 'back');
    // Long enough for a server on a busy machine, whose answers must not count as one that stopped.
    const store = s3.impatient({ retries: { ...patient, tries: 9, firstMs: 5, idleMs: 5000 } });
    await store.fetch('a/file', back, { size, sha256: digest }, { onWait: (why) => waits.push(why) });
    expect(sha256(await readFile(back))).toBe(digest);
    expect(waits).toContainEqual(expect.stringContaining('nothing came for 5 s; trying again'));
    const [first, ...further] = s3.proxy.seen.filter(isGet).map(({ headers }) => headers.range);
    expect(first).toBeUndefined();
    expect(further).not.toEqual([]);
    for (const range of further) expect(range).toMatch(/^bytes=[1-9]\d{6,7}-39999999$/);
  });

  it('whose own disk has other bytes is told as damaged', async () => {
    const { size, sha256: digest } = await published(randomBytes(100_000));
    const bytes = await readFile(onServer('a/file'));
    bytes[50] = (bytes[50] ?? 0) ^ 1;
    await writeFile(onServer('a/file'), bytes);
    const work = s3.store.fetch('a/file', join(s3.folder, 'other'), { size, sha256: digest });
    expect(await errorOf(work)).toBeInstanceOf(DamagedError);
    expect(existsSync(join(s3.folder, 'other'))).toBe(false);
    expect(await errorOf(s3.store.read('a/file'))).toBeInstanceOf(DamagedError);
  });

  it('that is slow is waited for', async () => {
    s3.proxy.break(() => true, { kind: 'delay', ms: 300 }, 2);
    await published(randomBytes(1000));
  });

  it.each([
    ['NoSuchBucket', 404, 'the bucket does not exist'],
    ['AccessDenied', 403, 'access denied; docs/stores.md lists the permissions that a store needs'],
    ['InvalidAccessKeyId', 403, 'the access key does not exist: renew the AWS credentials of this worker'],
    ['SignatureDoesNotMatch', 403, 'the secret key is wrong: renew the AWS credentials of this worker'],
    ['ExpiredToken', 400, 'the credentials have expired: renew the AWS credentials of this worker'],
    ['RequestTimeTooSkewed', 403, "the clock of this host is off by more than S3 allows: set it by a time server's"],
    ['MethodNotAllowed', 405, 'the server takes no writes: it is read-only'],
    ['AuthorizationHeaderMalformed', 400, 'the bucket is in another region: set AWS_REGION'],
    ['QuotaExceeded', 403, 'the quota of the bucket is used up'],
    ['Unheard', 400, 'the server refused it: no (Unheard, HTTP 400)'],
  ])('that says %s is told in a sentence, at once, and may be asked again later', async (code, status, why) => {
    s3.proxy.break(() => true, refusal(status, code), Number.POSITIVE_INFINITY);
    for (const work of [s3.store.checkWritable(false), openStore(s3.address).prepare(false)])
      expect(await errorOf(work)).toMatchObject({
        message: `cannot write in ${s3.address}: ${why}${code === 'Unheard' ? '' : ` (${code})`}`,
        retryable: true,
      });
    expect(s3.proxy.seen).toHaveLength(2);
  });

  it('by another bucket, key, or port: what the server says itself', async () => {
    const other = openStore('s3://no-such-bucket-here/x');
    expect(await errorOf(other.checkWritable(false))).toMatchObject({
      message: 'cannot write in s3://no-such-bucket-here/x: the bucket does not exist (NoSuchBucket)',
    });
    // Nothing there is not told of a store that is not there.
    expect((await errorOf(other.verify('a/file'))).message).toContain('the bucket does not exist');
    const as = async (change: Record<string, string>) => {
      const before = { ...process.env };
      Object.assign(process.env, change);
      try {
        return (await errorOf(openStore(s3.address).checkWritable(false))).message;
      } finally {
        process.env = before;
      }
    };
    expect(await as({ AWS_ACCESS_KEY_ID: 'nobody' })).toContain('the access key does not exist');
    const wrong = await as({ AWS_SECRET_ACCESS_KEY: 'wrong-secret' });
    expect(wrong).toContain('the secret key is wrong');
    expect(wrong).not.toContain('wrong-secret');
    expect(await as({ AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' })).toContain('nobody answers at its endpoint');
  });

  it('that overwrites in spite of If-None-Match is no store: two runs could claim one folder', async () => {
    s3.proxy.break(isPut, { kind: 'dropRequestHeaders', names: /^if-none-match$/ }, Number.POSITIVE_INFINITY);
    const error = await errorOf(openStore(s3.address).checkWritable(false));
    // Signed: a server that gets the request without it refuses the signature; one that ignores it overwrites.
    expect(error.message).toMatch(/the secret key is wrong|overwrites what is there in spite of If-None-Match/);
  });

  it('that has completed an upload without our hearing of it, and forgotten it, is asked for the object', async () => {
    s3.proxy.break(isCompleted, { kind: 'loseAnswer' });
    s3.proxy.break(isCompleted, refusal(404, 'NoSuchUpload'));
    await published(randomBytes(large));
    expect(s3.proxy.seen.filter(isPart)).toHaveLength(3);
  });

  it('has a shorter file in the place of one that was cut on its disk', async () => {
    await published(randomBytes(100_000));
    await truncate(onServer('a/file'), 10);
    await published(randomBytes(100_000));
  });
});

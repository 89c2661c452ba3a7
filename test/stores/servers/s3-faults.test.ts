/** S3 that throttles, breaks off, damages and refuses: waited for, or said in a sentence; never half a file, never another one's. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DamagedError } from '../../../stores/artifact-store.ts';
import { openStore } from '../../../stores/open-store.ts';
import { errorOf, sizesOf } from './fault-checks.ts';
import type { Fault, Seen } from './fault-proxy.ts';
import * as s3 from './s3-stage.ts';
import { sha256 } from './store-contract.ts';

/** Three parts. */
const large = 40_000_000;
const part = 16 << 20;
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

describe.skipIf(!s3.hasS3)('S3', () => {
  if (s3.hasS3) s3.onS3();

  const published = async (bytes: Uint8Array, waits: string[] = []) => {
    const found = await s3.store.publish(await s3.local('file', bytes), 'a/file', { onWait: (why) => waits.push(why) });
    expect(s3.proxy.pending).toBe(0);
    expect(found).toEqual({ path: 'a/file', size: bytes.length, sha256: sha256(bytes) });
    expect(sha256((await openStore(s3.address).read('a/file')) ?? '')).toBe(found.sha256);
    return found;
  };

  it('gets each byte once, and gives none back, when a file is published, verified, and published again', async () => {
    const bytes = randomBytes(large);
    await published(bytes);
    s3.proxy.seen.length = 0;
    await s3.store.publish(await s3.local('file', bytes), 'b/file');
    const note = 500;
    expect(s3.proxy.seen.reduce((sum, { sent }) => sum + sent, 0)).toBeLessThan(large + 10 * note);
    await openStore(s3.address).verify('b/file');
    expect(s3.requests('GET', 'b/file')).toEqual([]);
    expect([s3.store.proofOf('b/file'), s3.store.proofOf('c/file')]).toEqual(['checksum', null]);
    s3.proxy.seen.length = 0;
    await openStore(s3.address).publish(join(s3.folder, 'file'), 'b/file');
    expect(s3.proxy.seen.filter(isPut)).toEqual([]);
  });

  it('is given the time that it asks for when it throttles, and who waits says why', async () => {
    s3.proxy.break(isPut, refusal(503, 'SlowDown', { 'retry-after': '2' }));
    s3.proxy.break(isPut, refusal(429, 'TooManyRequests'));
    const [waits, began] = [[] as string[], performance.now()];
    await published(randomBytes(1000), waits);
    expect(performance.now() - began).toBeGreaterThan(2000);
    expect(waits).toEqual([
      `cannot write ${s3.address}/a/file: the server asks for fewer requests (SlowDown); trying again in 2 s`,
      expect.stringContaining('the server asks for fewer requests (TooManyRequests); trying again in 1 s'),
    ]);
  });

  it('that does not stop throttling, or breaks every connection, is worth another try later; the file stays', async () => {
    const file = await s3.local('file', randomBytes(large));
    s3.proxy.break(isPut, refusal(503, 'SlowDown'), Number.POSITIVE_INFINITY);
    expect(await errorOf(s3.impatient().publish(file, 'a/file'))).toMatchObject({
      message: `cannot write ${s3.address}/a/file: the server asks for fewer requests (SlowDown)`,
      retryable: true,
    });
    s3.proxy.heal();
    s3.proxy.break(isPart, { kind: 'cutRequest', after: 1_000_000 }, Number.POSITIVE_INFINITY);
    expect(await errorOf(s3.impatient().publish(file, 'a/file'))).toMatchObject({ retryable: true });
    s3.proxy.heal();
    expect(await s3.store.verify('a/file')).toBeNull();
    expect((await readFile(file)).length).toBe(large);
    await published(await readFile(file));
  });

  it('that cuts a part off gets that part again, and no other', async () => {
    s3.proxy.break(({ url }) => url.includes('partNumber=2'), { kind: 'cutRequest', after: 3_000_000 });
    await published(randomBytes(large));
    expect(sizesOf(s3.proxy.seen.filter(isPart)).slice(0, 3)).toEqual([part, part, large - 2 * part]);
    expect(s3.proxy.seen.filter(isPart)).toHaveLength(4);
  });

  it.each([
    ['a file', isPut, 1000, 0],
    ['a part', isPart, large, 4],
    ['the end of an upload', isCompleted, large, 3],
  ])('whose answer about %s is lost is asked, and what was done is not done again', async (_, when, size, parts) => {
    s3.proxy.break(when, { kind: 'loseAnswer' });
    await published(randomBytes(size));
    expect(s3.proxy.seen.filter(isPart)).toHaveLength(parts);
    expect(await s3.uploadsLeft()).toEqual([]);
  });

  it('whose answer about a claim is lost: the claim is known for his own, and that of another is not', async () => {
    s3.proxy.break(isPut, { kind: 'loseAnswer' });
    expect(await s3.store.create('a/claim', 'mine')).toBe(true);
    s3.proxy.break(isPut, { kind: 'cutRequest', after: 0 });
    expect(await s3.store.create('a/claim', 'another')).toBe(false);
    expect(Buffer.from((await s3.store.read('a/claim')) ?? []).toString()).toBe('mine');
  });

  it.each([1000, large])(
    'refuses what arrives damaged, of %i bytes: it is sent again, and never there',
    async (size) => {
      s3.proxy.break(size === large ? isPart : isPut, { kind: 'corruptRequest' });
      await published(randomBytes(size));
      s3.proxy.break(size === large ? isPart : isPut, { kind: 'corruptRequest' }, Number.POSITIVE_INFINITY);
      const error = await errorOf(s3.impatient().publish(await s3.local('file', randomBytes(size)), 'b/file'));
      expect(error).toMatchObject({
        message: expect.stringContaining('the bytes that arrived were others'),
        retryable: true,
      });
      expect(await s3.store.verify('b/file')).toBeNull();
    },
  );

  it('that says nothing of what it has checked is read back', async () => {
    const silent: Fault = { kind: 'dropAnswerHeaders', names: /^x-amz-checksum/ };
    s3.proxy.break(isPut, silent, Number.POSITIVE_INFINITY);
    await s3.store.publish(await s3.local('file', randomBytes(1000)), 'b/file');
    expect(s3.requests('GET', 'b/file')).toHaveLength(1);
    expect(s3.store.proofOf('b/file')).toBe('readBack');
    s3.proxy.break((seen) => s3.requests('GET', 'c/file').includes(seen), { kind: 'corruptAnswer' });
    expect(await errorOf(s3.store.publish(join(s3.folder, 'file'), 'c/file'))).toMatchObject({
      message: expect.stringMatching(
        /reads back as 1000 bytes with sha256 .* where 1000 bytes with sha256 .* was written/,
      ),
      retryable: true,
    });
  });

  it('that breaks off while it is read is read on from there', async () => {
    const bytes = randomBytes(large);
    const { size, sha256: digest } = await published(bytes);
    s3.proxy.heal();
    s3.proxy.break(isGet, { kind: 'cutAnswer', after: 30_000_000 });
    s3.proxy.break(isGet, { kind: 'cutAnswer', after: 1000 });
    await s3.store.fetch('a/file', join(s3.folder, 'back'), { size, sha256: digest });
    expect(sha256(await readFile(join(s3.folder, 'back')))).toBe(digest);
    const ranges = s3.proxy.seen.filter(isGet).map(({ headers }) => headers.range);
    expect(ranges).toHaveLength(3);
    for (const range of ranges.slice(1)) expect(range).toMatch(/^bytes=[1-9]\d{6,7}-39999999$/);
  });

  it('that stops sending on a connection that stays open is read on from there', async () => {
    const bytes = randomBytes(large);
    const { size, sha256: digest } = await published(bytes);
    s3.proxy.heal();
    s3.proxy.break(isGet, { kind: 'stallAnswer', after: 30_000_000 });
    const waits: string[] = [];
    const back = join(s3.folder, 'back');
    // Long enough for a server on a busy machine, whose answers must not count as one that stopped.
    const store = s3.impatient(undefined, 5000, 9);
    await store.fetch('a/file', back, { size, sha256: digest }, { onWait: (why) => waits.push(why) });
    expect(sha256(await readFile(back))).toBe(digest);
    expect(waits).toContainEqual(expect.stringContaining('nothing came for 5 s; trying again'));
    const [first, ...further] = s3.proxy.seen.filter(isGet).map(({ headers }) => headers.range);
    expect(first).toBeUndefined();
    expect(further).not.toEqual([]);
    for (const range of further) expect(range).toMatch(/^bytes=[1-9]\d{6,7}-39999999$/);
  });

  it('that says it is whole when it is cut short is found out: of a file, of a part, of small content', async () => {
    const { size, sha256: digest } = await published(randomBytes(100_000));
    s3.proxy.break(isGet, { kind: 'shortAnswer', bytes: 60_000 });
    await s3.store.fetch('a/file', join(s3.folder, 'back'), { size, sha256: digest });
    s3.proxy.break(isGet, { kind: 'shortAnswer', bytes: 60_000 });
    expect(sha256((await s3.store.read('a/file')) ?? '')).toBe(digest);
    s3.proxy.break(isGet, { kind: 'shortAnswer', bytes: 100 });
    const found = await s3.store.readPart('a/file', 500, 1000);
    expect(sha256(found?.bytes ?? '')).toBe(sha256((await readFile(join(s3.folder, 'file'))).subarray(500, 1500)));
    expect(found?.size).toBe(size);
    expect(s3.proxy.pending).toBe(0);
  });

  it('that hands out other bytes is read again, and told as damaged where it stays so', async () => {
    const { size, sha256: digest } = await published(randomBytes(100_000));
    const back = join(s3.folder, 'back');
    s3.proxy.break(isGet, { kind: 'corruptAnswer' });
    await s3.store.fetch('a/file', back, { size, sha256: digest });
    expect(sha256(await readFile(back))).toBe(digest);
    s3.proxy.break(isGet, { kind: 'corruptAnswer' });
    expect(sha256((await s3.store.read('a/file')) ?? '')).toBe(digest);
    // On the server's own disk.
    const bytes = await readFile(s3.onServer('a/file'));
    bytes[50] = (bytes[50] ?? 0) ^ 1;
    await writeFile(s3.onServer('a/file'), bytes);
    const work = s3.store.fetch('a/file', join(s3.folder, 'other'), { size, sha256: digest });
    expect(await errorOf(work)).toBeInstanceOf(DamagedError);
    expect(existsSync(join(s3.folder, 'other'))).toBe(false);
    expect(await errorOf(s3.store.read('a/file'))).toBeInstanceOf(DamagedError);
  });

  it('that is slow is waited for', async () => {
    s3.proxy.break(() => true, { kind: 'delay', ms: 300 }, 2);
    await published(randomBytes(1000));
  });

  it('lists 2,500 files over pages, each once, where one of them breaks off', async () => {
    await s3.store.write('many/first', 'x');
    const names = Array.from({ length: 2500 }, (_, index) => `file-${String(index).padStart(5, '0')}`);
    for (const name of names) await writeFile(s3.onServer(`many/${name}`), '');
    s3.proxy.heal();
    s3.proxy.break(({ url }) => url.includes('continuation-token='), refusal(503, 'SlowDown'));
    const found: string[] = [];
    for await (const { path } of s3.store.list('many')) found.push(path);
    expect(found).toEqual([...names.map((name) => `many/${name}`), 'many/first']);
    await s3.store.remove('many');
    expect(await readdir(s3.onServer('many')).catch(() => [])).toEqual([]);
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

  it('without its mark is unavailable: nothing there is not told of it', async () => {
    await s3.store.remove('.epochal-store');
    const again = () => openStore(s3.address);
    for (const work of [
      () => again().verify('a/file'),
      () => again().write('a/file', 'x'),
      () => again().prepare(true),
    ])
      expect(await errorOf(work())).toMatchObject({
        message: expect.stringContaining(`the store ${s3.address} is unavailable: it has no .epochal-store`),
        retryable: true,
      });
  });

  it('that has completed an upload without our hearing of it, and forgotten it, is asked for the object', async () => {
    s3.proxy.break(isCompleted, { kind: 'loseAnswer' });
    s3.proxy.break(isCompleted, refusal(404, 'NoSuchUpload'));
    await published(randomBytes(large));
    expect(s3.proxy.seen.filter(isPart)).toHaveLength(3);
  });

  it('whose uploads go away meanwhile gets the file all the same', async () => {
    s3.proxy.break(isCompleted, refusal(404, 'NoSuchUpload'));
    await published(randomBytes(large));
  });

  it('has a shorter file in the place of one that was cut on its disk', async () => {
    await published(randomBytes(100_000));
    await truncate(s3.onServer('a/file'), 10);
    await published(randomBytes(100_000));
  });
});

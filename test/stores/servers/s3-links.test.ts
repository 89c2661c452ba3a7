/** Links to what is stored on S3: who has one needs no rights, for this file, for a while. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { linkSeconds } from '../../../contracts/run-files.ts';
import { openStore } from '../../../stores/open-store.ts';
import { hasS3, s3, s3Server } from './s3-stage.ts';
import { sha256 } from './store-contract.ts';

describe.skipIf(!hasS3)('a link to a file on S3', () => {
  if (hasS3) s3.hooks();
  beforeEach(() => {
    process.env.EPOCHAL_LINK_ENDPOINT = s3.proxy.endpoint;
  });
  afterEach(() => {
    delete process.env.EPOCHAL_LINK_ENDPOINT;
  });
  const answer = { type: 'application/octet-stream', disposition: `attachment; filename="it's (1).bin"` };
  const linkTo = async (path: string, seconds = linkSeconds) =>
    (await openStore(s3.address).link?.(path, { ...answer, seconds })) ?? expect.fail('there is no link');

  it('is good for the whole file and for ranges, is saved under its name, and for nothing else', async () => {
    const bytes = randomBytes(20_000_000);
    const path = `a b/it's (é).bin`;
    await s3.store.publish(await s3.local('file', bytes), path);
    await s3.store.write('a b/other', 'of somebody else');
    const link = await linkTo(path);
    expect(new URL(link).searchParams.get('X-Amz-Expires')).toBe('300');
    expect(link).not.toContain(s3Server().secretKey);
    const whole = await fetch(link);
    expect(whole.headers.get('content-disposition')).toBe(answer.disposition);
    expect(whole.headers.get('content-type')).toBe(answer.type);
    expect(sha256(Buffer.from(await whole.arrayBuffer()))).toBe(sha256(bytes));
    const part = await fetch(link, { headers: { range: 'bytes=19000000-19000099' } });
    expect(part.status).toBe(206);
    expect(part.headers.get('content-range')).toBe('bytes 19000000-19000099/20000000');
    expect(Buffer.compare(Buffer.from(await part.arrayBuffer()), bytes.subarray(19_000_000, 19_000_100))).toBe(0);
    const other = link.replace(
      encodeURI(path).replace(/'/g, '%27').replace('(', '%28').replace(')', '%29'),
      'a%20b/other',
    );
    expect(other).not.toBe(link);
    for (const [address, method] of [
      [other, 'GET'],
      [link.split('?')[0] ?? '', 'GET'],
      [link.replace('X-Amz-Expires=300', 'X-Amz-Expires=3000'), 'GET'],
      [link, 'PUT'],
      [link, 'DELETE'],
    ] as const)
      expect((await fetch(address, { method })).status, `${method} ${address}`).toBe(403);
    expect(await s3.store.verify(path)).toMatchObject({ size: bytes.length });
  });

  it('ends', async () => {
    await s3.store.write('a/file', 'text');
    expect((await fetch(await linkTo('a/file'))).status).toBe(200);
    const link = await linkTo('a/file', 1);
    await expect.poll(async () => (await fetch(link)).status).toBe(403);
  });

  it('is to the address that others reach the server by, and there is none where nobody has told one', async () => {
    process.env.EPOCHAL_LINK_ENDPOINT = 'https://s3.example.org';
    expect(await linkTo('a/file')).toMatch(/^https:\/\/s3\.example\.org\/epochal-tests\//);
    delete process.env.EPOCHAL_LINK_ENDPOINT;
    expect(await openStore(s3.address).link?.('a/file', { ...answer, seconds: 10 })).toBeNull();
  });
});

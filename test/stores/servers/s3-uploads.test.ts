/** What a process that is gone has left of an upload to S3, and what another tool has there. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../../stores/open-store.ts';
import { S3Bucket } from '../../../stores/s3-bucket.ts';
import type { Seen } from './fault-proxy.ts';
import * as s3 from './s3-stage.ts';
import { sha256 } from './store-contract.ts';

const part = 16 << 20;
const isPart = ({ method, url }: Seen) => method === 'PUT' && url.includes('partNumber=');

describe.skipIf(!s3.hasS3)('S3', () => {
  if (s3.hasS3) s3.onS3();

  const published = async (bytes: Uint8Array) => {
    const found = await s3.store.publish(await s3.local('file', bytes), 'a/file');
    expect(found).toEqual({ path: 'a/file', size: bytes.length, sha256: sha256(bytes) });
    expect(sha256((await openStore(s3.address).read('a/file')) ?? '')).toBe(found.sha256);
  };

  it('has what a process that was killed had uploaded: the next one sends the rest, and tidy and remove leave nothing', async () => {
    const size = 5 * part;
    const bytes = randomBytes(size);
    const file = await s3.local('file', bytes);
    // The last parts come late: some are there when the process ends.
    s3.proxy.break(({ url }) => /partNumber=[345]/.test(url), { kind: 'delay', ms: 600_000 }, Number.POSITIVE_INFINITY);
    const program = fileURLToPath(new URL('../publish-a-file.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', program, s3.address, file, 'a/file']);
    await expect.poll(() => s3.proxy.seen.filter((one) => isPart(one) && one.status === 200)).toHaveLength(2);
    child.kill('SIGKILL');
    await once(child, 'close');
    s3.proxy.heal();
    expect(await s3.store.verify('a/file')).toBeNull();
    await s3.store.tidy('a');
    expect(await s3.uploadsLeft()).toHaveLength(1);
    await published(bytes);
    expect(s3.proxy.seen.filter(isPart).map(({ sent }) => sent)).toEqual([part, part, part]);
    expect(await s3.uploadsLeft()).toEqual([]);

    // Of another tool's upload of that key nothing is taken up, and nothing is put into it.
    const bucket = new S3Bucket(s3.testBucket);
    const key = `${s3.address.split('/').slice(3).join('/')}/a/file`;
    const others = randomBytes(part);
    const digest = Buffer.from(sha256(others), 'hex');
    for (const clear of ['tidy', 'remove'] as const) {
      const [upload, empty] = [await bucket.beginUpload(key, {}), await bucket.beginUpload(key, {})];
      await bucket.putPart(key, upload, 1, others, digest, {});
      await published(randomBytes(size));
      const untouched = await bucket.parts(key, upload, {});
      expect(untouched?.map(({ number, sha256: told }) => [number, told])).toEqual([[1, digest]]);
      expect(await bucket.parts(key, empty, {})).toEqual([]);
      if (clear === 'tidy') await s3.impatient(-60_000).tidy('a');
      else await s3.store.remove('a/file');
      expect(await s3.uploadsLeft(), clear).toEqual([]);
    }
  });
});

/** What another tool has begun to upload to S3. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../../stores/open-store.ts';
import { S3Bucket } from '../../../stores/s3-bucket.ts';
import { hasS3, s3, testBucket } from './s3-stage.ts';
import { sha256 } from './store-contract.ts';

const part = 16 << 20;

describe.skipIf(!hasS3)('S3', () => {
  if (hasS3) s3.hooks();

  const published = async (bytes: Uint8Array) => {
    const found = await s3.store.publish(await s3.local('file', bytes), 'a/file');
    expect(found).toEqual({ path: 'a/file', size: bytes.length, sha256: sha256(bytes) });
    expect(sha256((await openStore(s3.address).read('a/file')) ?? '')).toBe(found.sha256);
  };

  it("takes up nothing of another tool's upload of the same key, and puts nothing into it", async () => {
    const bucket = new S3Bucket(testBucket);
    const key = `${s3.address.split('/').slice(3).join('/')}/a/file`;
    const others = randomBytes(part);
    const digest = Buffer.from(sha256(others), 'hex');
    for (const clear of ['tidy', 'remove'] as const) {
      const [upload, empty] = [await bucket.beginUpload(key, {}), await bucket.beginUpload(key, {})];
      await bucket.putPart(key, upload, 1, others, digest, {});
      await published(randomBytes(2 * part));
      const untouched = await bucket.parts(key, upload, {});
      expect(untouched?.map(({ number, sha256: told }) => [number, told])).toEqual([[1, digest]]);
      expect(await bucket.parts(key, empty, {})).toEqual([]);
      if (clear === 'tidy') await s3.impatient({ staleMs: -60_000 }).tidy('a');
      else await s3.store.remove('a/file');
      expect(await s3.uploadsLeft(), clear).toEqual([]);
    }
  });
});

/** How a file goes into a bucket in parts: several at a time, and fewer beside a training. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { PartsBucket } from '../../stores/bucket.ts';
import { partsAtOnce } from '../../stores/object-upload.ts';
import { MemoryBucket, storeIn } from './memory-bucket.ts';

/** Takes parts, and knows how many of them were on their way at once. */
class PartBucket extends MemoryBucket {
  override readonly limits = { keyBytes: 1024, partBytes: 1 << 20, parts: 100, deletes: 100 };
  most = 0;
  partsSent = 0;

  takingParts(): PartsBucket {
    let now = 0;
    return Object.assign(Object.create(this) as PartsBucket, {
      beginUpload: async () => 'upload',
      putPart: async (_key: string, _upload: string, number: number, bytes: Uint8Array, sha256: Uint8Array) => {
        now += 1;
        this.partsSent += 1;
        this.most = Math.max(this.most, now);
        await delay(5);
        now -= 1;
        return { ...{ number, size: bytes.length, sha256, etag: String(number) }, md5: null };
      },
      completeUpload: async () => ({ etag: 'whole', proved: true }),
    });
  }
}

it.each([
  { inBackground: false, most: partsAtOnce(false) },
  { inBackground: true, most: partsAtOnce(true) },
])('sends $most parts at once (inBackground: $inBackground)', async ({ inBackground, most }) => {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-upload-'));
  const bucket = new PartBucket();
  const store = storeIn(bucket.takingParts());
  await store.prepare(false);
  const file = join(folder, 'weights.bin');
  await writeFile(file, Buffer.alloc(12 << 20, 1));
  await store.publish(file, 'weights.bin', { inBackground });
  expect(bucket.partsSent).toBe(12);
  expect(bucket.most).toBeLessThanOrEqual(most);
  await rm(folder, { recursive: true });
});

it('leaves a small machine to its training, and takes as many as ever where there are cores', () => {
  expect([2, 4, 8, 16, 64].map((cores) => partsAtOnce(true, cores))).toEqual([1, 1, 2, 4, 4]);
  expect(partsAtOnce(false, 2)).toBe(4);
});

/** An object is read to its end, however often the connection breaks, and not once more. */
import { describe, expect, it } from 'vitest';
import { type Bucket, BucketError, type ByteRange } from '../../stores/bucket.ts';
import { openObject } from '../../stores/object-download.ts';
import { ObjectRoot } from '../../stores/object-root.ts';
import { collect } from '../../stores/stalled.ts';

const content = Buffer.from('all the bytes of an object');
const broken = () => new BucketError('broken', 'the connection was reset');

/** What each answer sends, one after the other; an error is thrown where it stands. */
function read(...answers: (Buffer | Error)[][]) {
  const asked: ByteRange[] = [];
  const bucket = {
    address: 's3://bucket',
    limits: { keyBytes: 1024 },
    get: async (_key: string, range: ByteRange) => {
      const pieces = answers[asked.length] ?? [new BucketError('never', 'nobody was to ask again')];
      asked.push(range);
      const bytes = (async function* () {
        for (const piece of pieces) {
          if (piece instanceof Error) throw piece;
          yield piece;
        }
      })();
      return { size: content.length, etag: 'one', sha256: null, composite: null, writer: null, bytes };
    },
  } as unknown as Bucket;
  const root = new ObjectRoot(bucket, 'prefix', false, null, {
    tries: 3,
    firstMs: 1,
    mostMs: 1,
    mostRetryAfterMs: 1,
    idleMs: 1000,
  });
  const all = async () => {
    const opened = await openObject(root, 'file', { offset: 0 }, {});
    if (!opened) throw new Error('it is not there');
    return (await collect(opened.bytes)).toString();
  };
  return { asked, all };
}

describe('an object', () => {
  it('is read on from where a connection broke, of the same version', async () => {
    const { asked, all } = read([content.subarray(0, 7), broken()], [content.subarray(7, 9)], [content.subarray(9)]);
    expect(await all()).toBe(content.toString());
    expect(asked.map(({ offset, etag }) => [offset, etag])).toEqual([
      [0, undefined],
      [7, 'one'],
      [9, 'one'],
    ]);
  });

  it('is whole with its last byte, whatever becomes of the connection then', async () => {
    const { asked, all } = read([content, broken()]);
    expect(await all()).toBe(content.toString());
    expect(asked).toHaveLength(1);
  });

  it('is not whole where more came than it has, or what came is damaged; what was handed out is not asked for again', async () => {
    for (const [wrong, why] of [
      [Buffer.from('more'), 'more bytes came'],
      [new BucketError('damaged', 'its digest is another'), 'its digest is another'],
    ] as const) {
      const { asked, all } = read([content, wrong]);
      await expect(all()).rejects.toThrow(`cannot read s3://bucket/prefix/file: ${why}`);
      expect(asked).toHaveLength(1);
    }
  });
});

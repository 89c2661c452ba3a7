/** Whether a store can be written in a bucket, and in the way that claims need. */
import { randomUUID } from 'node:crypto';
import { StoreError } from './artifact-store.ts';
import type { ObjectRoot } from './object-root.ts';
import { sha256Of } from './sha256.ts';

/** Throws StoreError where it cannot. Leaves nothing behind. */
export async function probeWriting(root: ObjectRoot): Promise<void> {
  const { bucket, prefix } = root;
  const doing = `cannot write in ${root.address}`;
  const key = `${prefix}/.epochal-probe-${randomUUID()}`;
  const bytes = Buffer.from('Written by Epochal to see whether it can.\n');
  const sha256 = sha256Of(bytes);
  const put = () => root.tried(doing, {}, () => bucket.put(key, bytes, sha256, {}));
  await put();
  try {
    // Not every server of this kind may replace what is there.
    if (bucket.putFile) await put();
    const second = await root.tried(doing, {}, () => bucket.put(key, bytes, sha256, { ifAbsent: true }));
    if (second !== null) {
      const why =
        'it overwrites what is there in spite of If-None-Match, so that two runs could take one output folder';
      throw new StoreError(`${doing}: ${why}`, false);
    }
  } finally {
    await root.tried(doing, {}, () => bucket.delete([key], {}));
  }
}

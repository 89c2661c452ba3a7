/** A provider that throttles, breaks off, damages and refuses: waited for, or said in a sentence; never half a file, never another one's. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openStore } from '../../../stores/open-store.ts';
import { patient } from '../../../stores/retries.ts';
import { errorOf, sizesOf } from './fault-checks.ts';
import type { Fault, Seen } from './fault-proxy.ts';
import type { ObjectStage } from './object-stage.ts';
import { sha256 } from './store-contract.ts';

/** What requests and answers of a provider look like. */
export interface ProviderTraits {
  /** Puts a small file, or anything else. */
  isPut: (seen: Seen) => boolean;
  isPart: (seen: Seen) => boolean;
  isCompleted: (seen: Seen) => boolean;
  /** Gets the bytes of `a/file`. */
  isGet: (seen: Seen) => boolean;
  /** Asks for a list from its second page on. */
  isNextPage: (seen: Seen) => boolean;
  /** Damages a request where it has bytes of the file. */
  corrupt: Fault;
  throttle: (headers: Record<string, string>) => Fault;
  throttled: string;
  /** What was begun is not there any longer. */
  gone: Fault;
  /** Of every part, all that is sent to upload a file of so many bytes, beside these. */
  overhead: number;
}

/** As stores have them. */
const part = 16 << 20;

export function objectFaults(stage: ObjectStage, traits: ProviderTraits): void {
  const { isPut, isPart, isCompleted, isGet, isNextPage, corrupt, gone } = traits;
  const { large, smallPart } = stage;
  const hasForeignUploads = stage.bucket().hasForeignUploads ?? false;
  const again = Number.POSITIVE_INFINITY;
  const publish = async (bytes: Uint8Array, waits: string[] = []) => {
    const store = stage.inSmallParts({ retries: { ...patient, firstMs: 20 } });
    const found = await store.publish(await stage.local('file', bytes), 'a/file', { onWait: (why) => waits.push(why) });
    expect(stage.proxy.pending).toBe(0);
    expect(found).toEqual({ path: 'a/file', size: bytes.length, sha256: sha256(bytes) });
    expect(sha256((await openStore(stage.address).read('a/file')) ?? '')).toBe(found.sha256);
    return found;
  };

  it('gets each byte once, and gives none back, when a file is published, verified, and published again', async () => {
    const size = 2 * part + 1000;
    const file = await stage.local('file', randomBytes(size));
    await stage.store.publish(file, 'a/file');
    expect(stage.proxy.seen.filter(isPart)).toHaveLength(3);
    expect(stage.proxy.seen.reduce((sum, { sent }) => sum + sent, 0)).toBeLessThan(size + traits.overhead);
    expect(stage.proxy.seen.reduce((sum, { received }) => sum + received, 0)).toBeLessThan(traits.overhead);
    expect(await stage.uploadsLeft()).toEqual([]);
    expect([stage.store.proofOf('a/file'), stage.store.proofOf('b/file')]).toEqual(['checksum', null]);
    stage.proxy.seen.length = 0;
    await openStore(stage.address).verify('a/file');
    await openStore(stage.address).publish(file, 'a/file');
    expect(stage.proxy.seen.filter((seen) => isPut(seen) || isPart(seen) || isGet(seen))).toEqual([]);
  });

  it('is given the time that it asks for when it throttles, and who waits says why', async () => {
    stage.proxy.break(isPut, traits.throttle({ 'retry-after': '2' }));
    const [waits, began] = [[] as string[], performance.now()];
    await publish(randomBytes(1000), waits);
    expect(performance.now() - began).toBeGreaterThan(2000);
    expect(waits).toEqual([`cannot write ${stage.address}/a/file: ${traits.throttled}; trying again in 2 s`]);
  });

  it('that does not stop throttling, or breaks every connection, is worth another try later; the file stays, and nothing is there', async () => {
    const file = await stage.local('file', randomBytes(large));
    stage.proxy.break(isPart, traits.throttle({}), again);
    expect(await errorOf(stage.impatient().publish(file, 'a/file'))).toMatchObject({
      message: `cannot write ${stage.address}/a/file: ${traits.throttled}`,
      retryable: true,
    });
    stage.proxy.heal();
    stage.proxy.break(isPart, { kind: 'cutRequest', after: 100_000 }, again);
    expect(await errorOf(stage.impatient().publish(file, 'a/file'))).toMatchObject({ retryable: true });
    stage.proxy.heal();
    expect(await stage.store.verify('a/file')).toBeNull();
    expect((await readFile(file)).length).toBe(large);
  });

  it('that cuts a part off gets that part again, and no other', async () => {
    let parts = 0;
    stage.proxy.break((seen) => isPart(seen) && ++parts === 2, { kind: 'cutRequest', after: 300_000 });
    await publish(randomBytes(large));
    const sent = sizesOf(stage.proxy.seen.filter(isPart));
    expect(sent).toHaveLength(4);
    for (const [index, size] of [smallPart, smallPart, large - 2 * smallPart].entries())
      expect(sent[index]).toBeCloseTo(size, -4);
  });

  it.each([
    ['a file', isPut, 1000, 0],
    ['a part', isPart, large, 4],
    ['the end of an upload', isCompleted, large, 3],
  ])('whose answer about %s is lost is asked, and what was done is not done again', async (_, when, size, parts) => {
    stage.proxy.break(when, { kind: 'loseAnswer' });
    await publish(randomBytes(size));
    expect(stage.proxy.seen.filter(isPart)).toHaveLength(parts);
    expect(await stage.uploadsLeft()).toEqual([]);
  });

  it('whose answer about a claim is lost: the claim is known for his own, and that of another is not', async () => {
    stage.proxy.break(isPut, { kind: 'loseAnswer' });
    expect(await stage.store.create('a/claim', 'mine')).toBe(true);
    stage.proxy.break(isPut, { kind: 'cutRequest', after: 0 });
    expect(await stage.store.create('a/claim', 'another')).toBe(false);
    expect(Buffer.from((await stage.store.read('a/claim')) ?? []).toString()).toBe('mine');
  });

  it.each([1000, large])(
    'refuses what arrives damaged, of %i bytes: it is sent again, and never there',
    async (size) => {
      const isBody = size === large ? isPart : isPut;
      stage.proxy.break(isBody, corrupt);
      await publish(randomBytes(size));
      stage.proxy.break(isBody, corrupt, again);
      const error = await errorOf(stage.impatient().publish(await stage.local('file', randomBytes(size)), 'b/file'));
      expect(error).toMatchObject({
        message: expect.stringContaining('the bytes that arrived were others'),
        retryable: true,
      });
      expect(await stage.store.verify('b/file')).toBeNull();
      expect(await stage.paths('b')).toEqual([]);
    },
  );

  it('that breaks off while it is read is read on from there, and what is short or damaged is read again', async () => {
    const whole = await publish(randomBytes(large));
    stage.proxy.heal();
    stage.proxy.break(isGet, { kind: 'cutAnswer', after: 2_000_000 });
    stage.proxy.break(isGet, { kind: 'cutAnswer', after: 1000 });
    await stage.store.fetch('a/file', join(stage.folder, 'back'), whole);
    expect(sha256(await readFile(join(stage.folder, 'back')))).toBe(whole.sha256);
    const ranges = stage.proxy.seen.filter(isGet).map(({ headers }) => headers['x-ms-range'] ?? headers.range);
    expect(ranges).toHaveLength(3);
    for (const range of ranges.slice(1)) expect(range).toMatch(new RegExp(`^bytes=[1-9]\\d{5,7}-${large - 1}$`));

    const small = await publish(randomBytes(100_000));
    for (const fault of [{ kind: 'shortAnswer', bytes: 60_000 }, { kind: 'corruptAnswer' }] as const) {
      stage.proxy.break(isGet, fault);
      const back = join(stage.folder, fault.kind);
      await stage.store.fetch('a/file', back, small);
      expect(sha256(await readFile(back))).toBe(small.sha256);
      stage.proxy.break(isGet, fault);
      expect(sha256((await stage.store.read('a/file')) ?? '')).toBe(small.sha256);
    }
    stage.proxy.break(isGet, { kind: 'shortAnswer', bytes: 100 });
    const found = await stage.store.readPart('a/file', 500, 1000);
    expect(sha256(found?.bytes ?? '')).toBe(sha256((await readFile(join(stage.folder, 'file'))).subarray(500, 1500)));
    expect(found?.size).toBe(small.size);
    expect(stage.proxy.pending).toBe(0);
  });

  it('lists files over pages, each once, where one of them breaks off', async () => {
    const names = Array.from({ length: 11 }, (_, index) => `many/${String(index).padStart(2, '0')}`);
    for (const name of names) await stage.store.write(name, 'x');
    stage.proxy.break(isNextPage, traits.throttle({}));
    const found: string[] = [];
    const paged = stage.inSmallParts({ pageSize: 3, retries: { ...patient, firstMs: 5 } });
    for await (const { path } of paged.list('many')) found.push(path);
    expect(found).toEqual(names);
    expect(stage.proxy.pending).toBe(0);
  });

  it('without its mark is unavailable: nothing there is not told of it', async () => {
    await stage.store.remove('.epochal-store');
    for (const work of [
      () => openStore(stage.address).verify('a/file'),
      () => openStore(stage.address).write('a/file', 'x'),
      () => openStore(stage.address).prepare(true),
    ])
      expect(await errorOf(work())).toMatchObject({
        message: expect.stringContaining(`the store ${stage.address} is unavailable: it has no .epochal-store`),
        retryable: true,
      });
  });

  it('has what a process that was killed had uploaded: the next one sends the rest, and tidy and remove leave nothing', async () => {
    const bytes = randomBytes(3 * part);
    const [file, digest] = [await stage.local('file', bytes), sha256(bytes)];
    // The last part comes late: the others are there when the process ends.
    let parts = 0;
    stage.proxy.break((seen) => isPart(seen) && ++parts > 2, { kind: 'delay', ms: 600_000 }, again);
    const program = fileURLToPath(new URL('../publish-a-file.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', program, stage.address, file, 'a/file']);
    const arrived = () => stage.proxy.seen.filter((one) => isPart(one) && one.status !== null && one.status < 300);
    await expect.poll(arrived).toHaveLength(2);
    child.kill('SIGKILL');
    await once(child, 'close');
    stage.proxy.heal();
    expect(await stage.store.verify('a/file')).toBeNull();
    expect(await stage.paths('a')).toEqual([]);
    await stage.store.tidy('a');
    expect(await stage.uploadsLeft()).toHaveLength(1);
    expect(await stage.store.publish(file, 'a/file')).toMatchObject({ sha256: digest });
    const sent = stage.proxy.seen.filter(isPart).map((seen) => seen.sent);
    expect(sent).toEqual([expect.closeTo(part, -4)]);
    expect(await stage.uploadsLeft()).toEqual([]);
    expect(sha256((await stage.store.read('a/file')) ?? '')).toBe(digest);

    // Of another file of the same size under that name nothing is taken up that is not its own.
    const [bucket, key] = [stage.bucket(), `${stage.prefix}/b/file`];
    for (const clear of ['tidy', 'remove', 'publish'] as const) {
      const others = randomBytes(smallPart);
      const upload = await bucket.beginUpload(key, {});
      await bucket.putPart(key, upload, 1, others, Buffer.from(sha256(others), 'hex'), {});
      expect(await stage.uploadsLeft(), clear).toEqual([key]);
      if (clear === 'tidy') await stage.impatient({ staleMs: -60_000 }).tidy('b');
      else if (clear === 'remove') await stage.store.remove('b/file');
      else {
        const ours = randomBytes(large);
        await stage.inSmallParts().publish(await stage.local('other', ours), 'b/file');
        expect(sha256((await stage.store.read('b/file')) ?? '')).toBe(sha256(ours));
      }
      // Where it may be that of another tool, it is left alone.
      expect(await stage.uploadsLeft(), clear).toEqual(clear === 'publish' && hasForeignUploads ? [key] : []);
      expect(await stage.paths('b'), clear).toEqual(clear === 'publish' ? ['b/file'] : []);
    }
  });

  it('whose parts go away meanwhile gets the file all the same', async () => {
    stage.proxy.break(isCompleted, gone);
    await publish(randomBytes(large));
  });

  it('has a file that is there while an upload of another one under its name is given up', async () => {
    const { sha256: digest } = await publish(randomBytes(large));
    const [bucket, key] = [stage.bucket(), `${stage.prefix}/a/file`];
    const others = randomBytes(9);
    const upload = await bucket.beginUpload(key, {});
    await bucket.putPart(key, upload, 1, others, Buffer.from(sha256(others), 'hex'), {});
    await bucket.abortUpload(key, upload, {});
    expect(sha256((await stage.store.read('a/file')) ?? '')).toBe(digest);
  });
}

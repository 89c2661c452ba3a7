/** Team Files in trouble. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../../stores/open-store.ts';
import { patient } from '../../../stores/retries.ts';
import { collect } from '../../../stores/stalled.ts';
import { TeamFilesBucket } from '../../../stores/team-files-bucket.ts';
import { errorOf, sizesOf } from './fault-checks.ts';
import type { Fault, Seen } from './fault-proxy.ts';
import { sha256 } from './store-contract.ts';
import { ofTeam, refusal, teamFiles as stage } from './team-files-stage.ts';
import { teams } from './team-files-stand-in.ts';

const isMethod = (name: string) => (seen: Seen) => seen.url.startsWith(`/public/api/v3/file-storage.${name}`);
const [isUpload, isDownload, isPage] = [isMethod('upload'), isMethod('download'), isMethod('v2.list')];
const again = Number.POSITIVE_INFINITY;
/** Sent in one request that is not in memory. */
const large = 2_500_000;
const quick = { ...patient, firstMs: 5 };

describe('Team Files', () => {
  const { smallPart } = stage;
  stage.hooks();

  const publish = async (bytes: Uint8Array, waits: string[] = []) => {
    const store = stage.inSmallParts({ retries: { ...patient, firstMs: 20 } });
    const file = await stage.local('file', bytes);
    const found = await store.publish(file, 'a/file', { onWait: (why) => waits.push(why) });
    expect(stage.proxy.pending).toBe(0);
    expect(found).toEqual({ path: 'a/file', size: bytes.length, sha256: sha256(bytes) });
    expect(store.proofOf('a/file')).toBe('checksum');
    expect(sha256((await openStore(stage.address).read('a/file')) ?? '')).toBe(found.sha256);
    return found;
  };

  it('gets each byte once, and gives none back, when a file is published, verified, and published again', async () => {
    const file = await stage.local('file', randomBytes(large));
    await stage.inSmallParts().publish(file, 'a/file');
    await stage.inSmallParts().verify('a/file');
    await stage.inSmallParts().publish(file, 'a/file');
    expect(sizesOf(stage.proxy.seen.filter(isUpload))).toEqual([large]);
    expect(stage.proxy.seen.reduce((sum, { received }) => sum + received, 0)).toBeLessThan(20_000);
  });

  it.each([429, 503])('is given the time that it asks for with %i, and who waits says why', async (status) => {
    stage.proxy.break(isUpload, refusal(status, 'slow down', { 'retry-after': '1' }));
    const [waits, began] = [[] as string[], performance.now()];
    await publish(randomBytes(1000), waits);
    expect(performance.now() - began).toBeGreaterThan(1000);
    const why = status === 429 ? 'the server asks for fewer requests' : 'the server failed';
    expect(waits).toEqual([`cannot write ${stage.address}/a/file: ${why} (HTTP ${status}); trying again in 1 s`]);
  });

  it('that does not stop throttling is worth another try later; the file stays, and nothing is there', async () => {
    const file = await stage.local('file', randomBytes(large));
    stage.proxy.break(isUpload, refusal(429, 'slow down'), again);
    expect(await errorOf(stage.impatient().publish(file, 'a/file'))).toMatchObject({
      message: `cannot write ${stage.address}/a/file: the server asks for fewer requests (HTTP 429)`,
      retryable: true,
    });
    expect(await stage.store.verify('a/file')).toBeNull();
    expect((await readFile(file)).length).toBe(large);
  });

  it.each([1000, large])(
    'that breaks off while %i bytes are sent gets them again, and has no part of them',
    async (size) => {
      stage.proxy.break(isUpload, { kind: 'cutRequest', after: size / 2 }, 2);
      expect(
        await errorOf(stage.impatient().publish(await stage.local('cut', randomBytes(size)), 'b/file')),
      ).toMatchObject({
        message: expect.stringMatching(/the connection broke off|no whole answer/),
        retryable: true,
      });
      expect(await stage.paths('b')).toEqual([]);
      stage.proxy.break(isUpload, { kind: 'cutRequest', after: size / 2 });
      await publish(randomBytes(size));
    },
  );

  it.each([1000, large])('whose answer about %i bytes is lost has them', async (size) => {
    stage.proxy.break(isUpload, { kind: 'loseAnswer' });
    await publish(randomBytes(size));
  });

  it.each([1000, large])('whose copy of %i bytes arrived damaged loses it, and gets them again', async (size) => {
    const corrupt: Fault = { kind: 'corruptRequest', at: 900 };
    stage.proxy.break(isUpload, corrupt);
    await publish(randomBytes(size));
    stage.proxy.break(isUpload, corrupt, again);
    const error = await errorOf(stage.impatient().publish(await stage.local('file', randomBytes(size)), 'b/file'));
    expect(error).toMatchObject({
      message: `cannot write ${stage.address}/b/file: the bytes that arrived were others`,
      retryable: true,
    });
    expect(await stage.paths('b')).toEqual([]);
  });

  it('that stands still is left after a while', async () => {
    const bucket = new TeamFilesBucket({ partBytes: smallPart, idleMs: 300 });
    const store = stage.impatient({ bucket });
    stage.proxy.break(isUpload, { kind: 'delay', ms: 600_000 }, 2);
    expect(await errorOf(store.publish(await stage.local('file', randomBytes(large)), 'a/file'))).toMatchObject({
      message: `cannot write ${stage.address}/a/file: nothing moved for 0.3 s`,
      retryable: true,
    });
    await stage.store.write('a/file', 'x'.repeat(1000));
    stage.proxy.break(isPage, { kind: 'stallAnswer', after: 10 }, 2);
    expect((await errorOf(store.remove('a'))).message).toContain('nothing moved for 0.3 s');
    stage.proxy.heal();
    expect(await stage.paths('a')).toEqual(['a/file']);
  });

  it('whose answer about a step of a claim is lost: it is claimed once, and by nobody else', async () => {
    const isAny = ({ url }: Seen) => url.includes('file-storage.');
    let steps = 0;
    for (let lost = 0; lost === 0 || lost < steps; lost += 1) {
      const store = stage.inSmallParts({ retries: quick });
      await store.identity();
      stage.proxy.heal();
      let step = 0;
      stage.proxy.break((seen) => isAny(seen) && step++ === lost, { kind: 'loseAnswer' });
      expect(await store.create(`a/claim-${lost}`, 'mine'), `${lost}`).toBe(true);
      steps = stage.proxy.seen.length;
      expect(await stage.store.create(`a/claim-${lost}`, 'of another')).toBe(false);
      expect(Buffer.from((await stage.store.read(`a/claim-${lost}`)) ?? []).toString()).toBe('mine');
    }
    expect(steps).toBeGreaterThan(8);
    expect((await stage.paths('a')).every((path) => path.startsWith('a/claim-'))).toBe(true);
    // After the claim itself nobody asks again, and `tidy` removes what may be left.
    const last = [steps - 2, steps - 1].map((lost) => `${stage.prefix}/a/claim-${lost}`);
    expect(last).toEqual(expect.arrayContaining(await stage.uploadsLeft()));
  });

  it('has what a claim that broke off left until tidy or remove: no list shows it, and nobody waits for it long', async () => {
    const gone = () => {
      stage.proxy.heal();
      let uploads = 0;
      stage.proxy.break((seen) => isUpload(seen) && ++uploads > 1, { kind: 'cutRequest', after: 0 }, again);
      return errorOf(stage.impatient().create('a/claim', 'lost'));
    };
    await gone();
    stage.proxy.heal();
    expect(await stage.paths('a')).toEqual([]);
    expect(await stage.uploadsLeft()).toEqual([`${stage.prefix}/a/claim`]);
    await stage.store.tidy('a');
    expect(await stage.uploadsLeft()).toHaveLength(1);
    await stage.impatient({ staleMs: -60_000 }).tidy('a');
    expect(await stage.uploadsLeft()).toEqual([]);
    await gone();
    stage.proxy.heal();
    await stage.store.remove('a');
    expect(await stage.uploadsLeft()).toEqual([]);
    await gone();
    stage.proxy.heal();
    // By the server's clock, which tells seconds.
    const bucket = new TeamFilesBucket({ claims: { staleMs: -2000 } });
    expect(await stage.inSmallParts({ bucket }).create('a/claim', 'mine')).toBe(true);
    expect(await stage.uploadsLeft()).toEqual([]);
  });

  it('that breaks off while it is read is read on from there, and what is short or damaged is read again', async () => {
    const isFile = (seen: Seen) => isDownload(seen) && seen.sent !== 0;
    const whole = await publish(randomBytes(large));
    stage.proxy.heal();
    stage.proxy.break(isDownload, { kind: 'cutAnswer', after: 2_000_000 });
    stage.proxy.break(isDownload, { kind: 'cutAnswer', after: 1000 });
    await stage.store.fetch('a/file', join(stage.folder, 'back'), whole);
    expect(sha256(await readFile(join(stage.folder, 'back')))).toBe(whole.sha256);
    const ranges = stage.proxy.seen.filter(isFile).map(({ headers }) => headers.range);
    expect(ranges).toHaveLength(3);
    for (const range of ranges.slice(1)) expect(range).toMatch(/^bytes=[1-9]\d{5,6}-2499999$/);

    const small = await publish(randomBytes(100_000));
    for (const fault of [{ kind: 'shortAnswer', bytes: 60_000 }, { kind: 'corruptAnswer' }] as const) {
      stage.proxy.break(isDownload, fault);
      const back = join(stage.folder, fault.kind);
      await stage.store.fetch('a/file', back, small);
      expect(sha256(await readFile(back))).toBe(small.sha256);
      stage.proxy.break(isDownload, fault);
      expect(sha256((await stage.store.read('a/file')) ?? '')).toBe(small.sha256);
    }
    expect(stage.proxy.pending).toBe(0);
  });

  it.each([teams.plain, teams.hashless])(
    'that has another version when a download goes on: half of one and half of another is neither (team %i)',
    async (team) => {
      await ofTeam(team, async () => {
        const [bucket, key] = [stage.bucket(), `${stage.prefix}/a/file`];
        await stage.store.write('a/file', 'a'.repeat(1000));
        const first = await bucket.get(key, { offset: 0 }, {});
        const etag = first?.etag ?? '';
        const left = await bucket.get(key, { offset: 500, length: 500, etag }, {});
        expect(left && (await collect(left.bytes)).toString()).toBe('a'.repeat(500));
        await stage.store.write('a/file', 'b'.repeat(1000));
        await expect(bucket.get(key, { offset: 500, length: 500, etag }, {})).rejects.toMatchObject({
          trouble: 'gone',
        });
      });
    },
  );

  it('lists files over pages in order, each once, and goes on at the page that failed', async () => {
    const names = Array.from({ length: 11 }, (_, index) => `many/${String(index).padStart(2, '0')}`);
    for (const name of names) await stage.store.write(name, 'x');
    const paged = stage.inSmallParts({ retries: { ...quick, tries: 2 } });
    await paged.identity();
    stage.proxy.heal();
    // Every other request: more failures in all than tries in a row.
    let pages = 0;
    stage.proxy.break((seen) => isPage(seen) && pages++ % 2 === 1, refusal(503, 'no'), again);
    const found: string[] = [];
    for await (const { path } of paged.list('many')) found.push(path);
    expect(found).toEqual(names);
    expect(stage.proxy.seen.filter(isPage)).toHaveLength(4 + 3);
  });

  it('without its mark is unavailable: nothing there is not told of it', async () => {
    await stage.store.remove('.epochal-store');
    for (const work of [
      () => openStore(stage.address).verify('a/file'),
      () => openStore(stage.address).write('a/file', 'x'),
    ])
      expect(await errorOf(work())).toMatchObject({
        message: expect.stringContaining(`the store ${stage.address} is unavailable: it has no .epochal-store`),
        retryable: true,
      });
  });
});

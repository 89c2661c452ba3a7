/** `epochal store` between a folder and S3. */
import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../../stores/open-store.ts';
import { inProcess } from '../../support/command-line.ts';
import { landRun } from '../landed-run.ts';
import type { Seen } from './fault-proxy.ts';
import { hasS3, onServer, s3 } from './s3-stage.ts';

const epochal = (...args: string[]) => inProcess('store', ...args);
/** More than one part of an upload. */
const large = 20_000_001;

describe.skipIf(!hasS3)('runs', () => {
  if (hasS3) s3.hooks();

  it('go to S3 and back whole, and damage on the disk of the server shows when every byte is read', async () => {
    const [first, back] = [join(s3.folder, 'first'), join(s3.folder, 'back')];
    const store = openStore(first);
    await store.prepare(false);
    const checkpoints = { 1: randomBytes(large), 2: randomBytes(1000) };
    await landRun(store, 'p/run', { files: { 'metrics.jsonl': '{}\n' }, checkpoints });
    expect(await epochal('copy', first, s3.address)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/copied 3 files/),
    });
    expect(await epochal('ls', s3.address)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^p\/run +completed .* 2 +7 +19 MiB$/m),
    });
    expect(await epochal('verify', s3.address)).toMatchObject({ code: 0, stdout: 'p/run: whole, 3 files, 19 MiB\n' });
    // What happens on the way is not told as damage.
    const isWeights = ({ method, url }: Seen) => method === 'GET' && url.includes('epoch-0001/weights.bin');
    s3.proxy.break(isWeights, { kind: 'cutAnswer', after: 1_000_000 });
    s3.proxy.break(isWeights, { kind: 'corruptAnswer' });
    expect(await epochal('verify', s3.address, '--read')).toMatchObject({ code: 0 });
    expect(s3.proxy.pending).toBe(0);
    expect(await epochal('copy', s3.address, back, 'p/run')).toMatchObject({ code: 0 });
    expect(await epochal('verify', back)).toMatchObject({ code: 0 });
    const weights = await open(onServer('experiments/p/run/checkpoints/epoch-0001/weights.bin'), 'r+');
    await weights.write(Buffer.from('damage'), 0, 6, large - 10);
    await weights.close();
    expect(await epochal('verify', s3.address, '--read')).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^p\/run: checkpoints\/epoch-0001\/weights\.bin is 20000001 bytes with sha256/),
    });
  });

  it('bad input is one sentence', async () => {
    const store = join(s3.folder, 'store');
    await openStore(store).prepare(false);
    const calls: [string[], number, RegExp][] = [
      [['ls', 's3://no-such-bucket-of-epochal/x'], 1, /bucket does not exist/],
      [['ls', `${s3.address}-other`], 1, /-other is unavailable: it has no \.epochal-store/],
      [['verify', s3.address, 'p/none'], 2, /^run is "p\/none": s3:\/\/\S+ has no such run$/],
      [
        ['copy', store, 's3://no-such-bucket-of-epochal/x'],
        1,
        /^cannot write in s3:\/\/no-such-bucket\S+: the bucket does not exist/,
      ],
    ];
    for (const [args, code, told] of calls) {
      const ended = await epochal(...args);
      expect(ended, args.join(' ')).toMatchObject({ code, stdout: '' });
      expect(ended.stderr).toMatch(/^epochal: [^\n]+\n$/);
      expect(ended.stderr.slice('epochal: '.length, -1)).toMatch(told);
    }
  });
});

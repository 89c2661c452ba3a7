/**
 * A checkpoint of 10 GiB into a store in a folder: flushed and read back, as `dd` with `conv=fsync` and then `sha256sum` of the copy do. In pairs, each
 * in processes of their own.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BenchResult } from './result.ts';
import { median, rounded } from './statistics.ts';
import { checkpointIn, stored } from './stored.ts';
import type { Uploaded } from './upload-once.ts';

const pairs = Number(process.env.EPOCHAL_BENCH_LARGE_PAIRS ?? 3);
/** MiB. */
const size = Number(process.env.EPOCHAL_BENCH_LARGE_MIB ?? 10_240);

export async function largeCheckpoint(): Promise<BenchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-large-'));
  try {
    const file = await checkpointIn(folder, size);
    const ours: Uploaded[] = [];
    const others: number[] = [];
    const shares: number[] = [];
    for (let pair = 0; pair < pairs; pair += 1) {
      const copyOurs = async () =>
        ours.push(await stored('ours', file, { folder, address: join(folder, 'store'), env: {} }));
      const copyByHand = async () => others.push(await byHand(file, join(folder, 'copy')));
      // The order alternates, so that a disk that gets slower or faster favours neither.
      for (const copy of pair % 2 === 0 ? [copyOurs, copyByHand] : [copyByHand, copyOurs]) await copy();
      const [seconds, byHandSeconds] = [ours.at(-1)?.seconds ?? 0, others.at(-1) ?? 0];
      shares.push(byHandSeconds / seconds);
      process.stderr.write(`  pair ${pair + 1}: ${seconds.toFixed(1)} s, by hand ${byHandSeconds.toFixed(1)} s\n`);
    }
    const readTimes = Math.max(...ours.map(({ bytesRead }) => bytesRead)) / (size << 20);
    return {
      title: `A checkpoint of ${size} MiB into a store in a folder`,
      about: 'Beside dd with conv=fsync and then sha256sum, on the same disk, in pairs.',
      columns: ['what', 'measured', 'target'],
      rows: [
        ['ours, median (s)', rounded(median(ours.map(({ seconds }) => seconds)), 1), ''],
        ['dd and sha256sum, median (s)', rounded(median(others), 1), ''],
        ['speed, as a share of theirs: min', rounded(Math.min(...shares), 2), ''],
        ['speed, as a share of theirs: median', rounded(median(shares), 2), '≥ 0.8'],
        ['bytes read ÷ its size: once to copy it, once to read the copy back', rounded(readTimes, 3), '≤ 2'],
        ['memory over idle, at most (MB)', Math.round(Math.max(...ours.map((one) => one.extraBytes)) / 1e6), '< 100'],
      ],
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Answers seconds. */
async function byHand(file: string, copy: string): Promise<number> {
  const run = promisify(execFile);
  const began = performance.now();
  await run('dd', [`if=${file}`, `of=${copy}`, 'bs=1M', 'conv=fsync', 'status=none']);
  await run('sha256sum', [copy]);
  const seconds = (performance.now() - began) / 1000;
  await rm(copy);
  return seconds;
}

/**
 * How long a checkpoint takes into a bucket, and what memory that takes: the store's `publish` ÷ the upload of the AWS SDK itself (`Upload` of
 * `@aws-sdk/lib-storage`) on the same server, in interleaved pairs, each in a process of its own. The SDK's upload is measured as people
 * call it, and with the checksum that proves a copy here, SHA-256 of each part, in parts of the same size.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { type S3Server, setup, testBucket } from '../test/stores/servers/s3-server.ts';
import type { BenchResult } from './result.ts';
import { median, rounded } from './statistics.ts';
import { checkpointIn, stored } from './stored.ts';
import type { Uploaded, UploadWay } from './upload-once.ts';

const pairs = Number(process.env.EPOCHAL_BENCH_UPLOAD_PAIRS ?? 5);
/** Of a checkpoint, in MiB. */
const size = Number(process.env.EPOCHAL_BENCH_UPLOAD_MIB ?? 2048);

const others: { way: UploadWay; about: string }[] = [
  { way: 'sdk', about: 'the SDK as it is (parts of 5 MiB, CRC32)' },
  { way: 'sdkSha256', about: 'the SDK with SHA-256 of each part (16 MiB)' },
];

export async function uploads(): Promise<BenchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-uploads-'));
  const { server, stop } = await s3Server();
  try {
    const file = await checkpointIn(folder, size);
    await installSdk(folder);
    const upload = (way: UploadWay) =>
      stored(way, file, { folder, address: `s3://${testBucket}`, env: s3Environment(server) });
    // Caches of the disk, and whatever a server does first.
    await upload('ours');
    const rows: BenchResult['rows'] = [];
    for (const { way, about } of others) {
      const ratios: number[] = [];
      const measured: Record<string, Uploaded[]> = { ours: [], other: [] };
      for (let pair = 0; pair < pairs; pair += 1) {
        // The order alternates, so that a machine that gets slower or faster favours neither.
        const order = pair % 2 === 0 ? (['ours', 'other'] as const) : (['other', 'ours'] as const);
        for (const which of order) measured[which]?.push(await upload(which === 'ours' ? 'ours' : way));
        const [ours, other] = [measured.ours?.at(-1)?.seconds ?? 0, measured.other?.at(-1)?.seconds ?? 0];
        ratios.push(ours / other);
        process.stderr.write(`  ${about}, pair ${pair + 1}: ${ours.toFixed(2)} s ÷ ${other.toFixed(2)} s\n`);
      }
      const of = (which: string, fact: keyof Uploaded) => (measured[which] ?? []).map((one) => one[fact]);
      rows.push([
        about,
        pairs,
        rounded(median(of('ours', 'seconds')), 2),
        rounded(median(of('other', 'seconds')), 2),
        rounded(Math.min(...ratios)),
        rounded(median(ratios)),
        rounded(Math.max(...ratios)),
        Math.round(Math.max(...of('ours', 'extraBytes')) / 1e6),
        Math.round(Math.max(...of('other', 'extraBytes')) / 1e6),
      ]);
    }
    return {
      title: `Upload of a checkpoint of ${size} MiB to S3 ÷ the upload of the AWS SDK`,
      about:
        'On the same server, a gateway on this machine, in pairs. Targets: a median of at most 1.1, and less than 200 MB more than the idle process has.',
      columns: [
        'compared with',
        'pairs',
        'ours (s)',
        'the SDK (s)',
        'ratio min',
        'ratio median',
        'ratio max',
        'our memory over idle (MB)',
        "the SDK's (MB)",
      ],
      rows,
    };
  } finally {
    await stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** The one of the tests. */
export async function s3Server(): Promise<{ server: S3Server; stop: () => Promise<void> }> {
  let server: S3Server | null = null;
  const project = { provide: (_: string, provided: S3Server | null) => (server = provided) };
  const stop = await setup(project as unknown as TestProject);
  if (server !== null) return { server, stop };
  await stop();
  throw new Error('there is no S3 server to measure with');
}

/** It is measured here, and used nowhere. */
async function installSdk(folder: string): Promise<void> {
  const packages = ['@aws-sdk/lib-storage@3', '@aws-sdk/client-s3@3'];
  await promisify(execFile)('npm', ['install', '--no-save', '--ignore-scripts', '--prefix', folder, ...packages]);
}

export const s3Environment = (server: S3Server) => ({
  AWS_ENDPOINT_URL_S3: server.endpoint,
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: server.accessKey,
  AWS_SECRET_ACCESS_KEY: server.secretKey,
});

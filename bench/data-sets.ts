/**
 * `npm run bench:data`: what a check of a large COCO data set takes the first time, and again. It makes 200,000 images with
 * a million outlines in a temporary folder (about 3 GB of disk, some minutes). Ends with code 1 above 60 seconds or 1.5 GB
 * the first time, or 2 seconds the second time.
 *
 * `--images=N` makes another number; `--folder=PATH` makes them there, keeps them, and takes what is there already;
 * `--write` puts the table into docs/benchmarks.md.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { z } from 'zod';
import { ensureEnvironment, readRequirementsFile } from '../worker/python-environments.ts';
import type { BenchResult } from './result.ts';
import { showResult } from './show-result.ts';
import { rounded } from './statistics.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const script = join(root, 'bench', 'data_sets.py');
const measuredSchema = z.object({
  images: z.number(),
  objects: z.number(),
  seconds: z.number(),
  cpuSeconds: z.number(),
  load: z.number(),
  megabytes: z.number(),
});
const limits = [
  { name: 'first', seconds: 60, megabytes: 1500 },
  { name: 'again', seconds: 2, megabytes: 1500 },
];

const { values } = parseArgs({
  options: { images: { type: 'string', default: '200000' }, folder: { type: 'string' }, write: { type: 'boolean' } },
});
const images = z.coerce.number().int().positive().parse(values.images);
const { python } = await ensureEnvironment({
  requirements: await readRequirementsFile(join(root, 'test', 'trainers', 'datasets', 'requirements.txt')),
  onProgress: (line) => process.stdout.write(`${line}\n`),
});
const scratch = await mkdtemp(join(tmpdir(), 'epochal-bench-data-'));
try {
  const env = { ...process.env, EPOCHAL_CACHE_DIR: join(scratch, 'cache') };
  const data = values.folder === undefined ? join(scratch, 'data') : resolve(values.folder);
  const run = async (...args: string[]) => (await promisify(execFile)(python, [script, ...args], { env })).stdout;
  if (!existsSync(data)) await run('make', data, String(images));
  const rows: BenchResult['rows'] = [];
  for (const { name, ...limit } of limits) {
    const measured = measuredSchema.parse(JSON.parse(await run('check', data)));
    const { seconds, cpuSeconds, load, megabytes } = measured;
    const times = [seconds, cpuSeconds, load].map((number) => rounded(number, 1));
    rows.push([name, measured.images, measured.objects, ...times, Math.round(megabytes)]);
    if (seconds > limit.seconds || megabytes > limit.megabytes) process.exitCode = 1;
  }
  const result: BenchResult = {
    title: 'A check of a large data set',
    about:
      `COCO in one file, outlines of 12 corners, JPEG files of 100 KB that are in the file cache; one process on ${cpus().length} ` +
      'cores. The load is the average number of processes that wanted them when the check began. Target: at most 60 s and ' +
      '1500 MB the first time, and 2 s the second time.',
    columns: ['check', 'images', 'objects', 'seconds', 'CPU seconds', 'load', 'peak memory (MB)'],
    rows,
  };
  await showResult(result, 'data', { write: values.write ?? false });
} finally {
  await rm(scratch, { recursive: true, force: true });
}

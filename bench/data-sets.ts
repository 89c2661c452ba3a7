/**
 * `npm run bench:data`: what a check of a large COCO data set takes the first time, and again. It makes 200,000 images with
 * a million outlines in a temporary folder (about 2 GB of disk); `--images=N` makes another number. Ends with code 1 above
 * 60 seconds or 1.5 GB the first time, or 2 seconds the second time.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import Table from 'cli-table3';
import { z } from 'zod';
import { ensureEnvironment, readRequirementsFile } from '../worker/python-environments.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const script = join(root, 'bench', 'data_sets.py');
const measuredSchema = z.object({ seconds: z.number(), cpuSeconds: z.number(), megabytes: z.number() });

const { values } = parseArgs({ options: { images: { type: 'string', default: '200000' } } });
const images = z.coerce.number().int().positive().parse(values.images);
const { python } = await ensureEnvironment({
  requirements: await readRequirementsFile(join(root, 'test', 'trainers', 'datasets', 'requirements.txt')),
  onProgress: (line) => process.stdout.write(`${line}\n`),
});
const scratch = await mkdtemp(join(tmpdir(), 'epochal-bench-data-'));
try {
  const env = { ...process.env, EPOCHAL_CACHE_DIR: join(scratch, 'cache') };
  const data = join(scratch, 'data');
  const run = async (...args: string[]) => (await promisify(execFile)(python, [script, ...args], { env })).stdout;
  await run('make', data, String(images));
  const table = new Table({ head: ['check', 'seconds', 'CPU seconds', 'MB'] });
  const limits = [
    { name: 'first', seconds: 60, megabytes: 1500 },
    { name: 'again', seconds: 2, megabytes: 1500 },
  ];
  for (const { name, ...limit } of limits) {
    const measured = measuredSchema.parse(JSON.parse(await run('check', data)));
    table.push([name, measured.seconds.toFixed(1), measured.cpuSeconds.toFixed(1), Math.round(measured.megabytes)]);
    if (measured.seconds > limit.seconds || measured.megabytes > limit.megabytes) process.exitCode = 1;
  }
  process.stdout.write(`${table.toString()}\n`);
} finally {
  await rm(scratch, { recursive: true, force: true });
}

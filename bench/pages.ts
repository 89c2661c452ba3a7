/** What a trainer's own pages cost its training: `show` of 16 images of 640 × 640 pixels. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { ensureEnvironment, readRequirementsFile } from '../worker/python-environments.ts';
import type { BenchResult } from './result.ts';
import { rounded } from './statistics.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const measuredSchema = z.array(z.object({ name: z.string(), call: z.number(), added: z.number(), spread: z.number() }));
/** Of a training's time. */
const target = 0.005;

export async function pages(): Promise<BenchResult> {
  const { python } = await ensureEnvironment({
    requirements: await readRequirementsFile(join(root, 'test', 'trainers', 'datasets', 'requirements.txt')),
  });
  const folder = await mkdtemp(join(tmpdir(), 'epochal-bench-pages-'));
  try {
    const { stdout } = await promisify(execFile)(python, [join(root, 'bench', 'pages_cost.py'), folder]);
    const measured = measuredSchema.parse(JSON.parse(stdout));
    return {
      title: "A trainer's own pages",
      about:
        'One value of 16 images, 640 × 640 pixels each, shown while a training goes on in the same process; medians of 15 pairs ' +
        'of about a second with and without it. What it adds is the time by which the training ends later; the spread is that of ' +
        'the same training without it. Target: at most 0.5 % of a training, so the last column is the shortest epoch that may end with one.',
      columns: ['images', 'show returns after (ms)', 'it adds (ms)', 'spread (ms)', '0.5 % of an epoch of (s)'],
      rows: measured.map(({ name, call, added, spread }) => [
        name,
        rounded(call, 1),
        rounded(added, 1),
        rounded(spread, 1),
        rounded(Math.max(added, call) / 1000 / target, 1),
      ]),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * An epoch of each trainer under Epochal ÷ an epoch of the framework's own loop on the same configuration and data, both
 * with a checkpoint an epoch, in pairs.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunConfigInput } from '../contracts/run-config.ts';
import { ensureEnvironment, readRequirements } from '../worker/python-environments.ts';
import { keepsMemory } from './allocator.ts';
import { BenchHost } from './bench-host.ts';
import { fastestEpoch } from './epoch-times.ts';
import type { BenchResult } from './result.ts';
import { makeShapes } from './shapes.ts';
import { median, rounded } from './statistics.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Comparison {
  /** The framework's own loop is `own_loops/<trainer>_loop.py`. */
  trainer: string;
  epochs: number;
  pairs: number;
  parameters: NonNullable<RunConfigInput['parameters']>;
  /** The trainer needs a data set: so many images of shapes. */
  images?: number;
}

/** Of both sides. One thread: with two on two cores the other processes of the machine decide what is measured. */
const environment = {
  OMP_NUM_THREADS: '1',
  PYTHONDONTWRITEBYTECODE: '',
  ...keepsMemory,
};

/**
 * Sizes whose epoch takes several seconds on one core, as epochs of real trainings do and more. Many epochs, of which the
 * fastest counts: epochs of one process differ by up to a tenth, on both sides.
 */
const comparisons: readonly Comparison[] = [
  { trainer: 'pytorch', epochs: 10, pairs: 5, parameters: { channels: 256 } },
  { trainer: 'lightning', epochs: 10, pairs: 5, parameters: { channels: 256 } },
  { trainer: 'transformers', epochs: 10, pairs: 5, parameters: { hidden: 256, layers: 4 } },
  {
    trainer: 'yolov8',
    epochs: 8,
    pairs: 5,
    images: 192,
    parameters: { image_size: 160, batch_size: 8, plots: false, device: 'cpu' },
  },
  {
    trainer: 'mmdetection',
    epochs: 6,
    pairs: 3,
    images: 144,
    parameters: { config: 'retinanet_r18_fpn_1x_coco', image_size: 128, batch_size: 4, workers: 0, device: 'cpu' },
  },
];

async function ownLoop(
  python: string,
  { trainer, epochs, parameters }: Comparison,
  data: string | undefined,
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-own-'));
  try {
    const script = join(root, 'bench', 'own_loops', `${trainer}_loop.py`);
    const child = spawn(python, [script, folder, String(epochs), JSON.stringify(parameters)], {
      cwd: folder,
      env: {
        ...process.env,
        ...environment,
        PYTHONPATH: join(root, 'trainers', 'epochal'),
        EPOCHAL_BENCH_DATA: data,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let tail = '';
    child.stderr.on('data', (text: Buffer) => {
      tail = `${tail}${text}`.slice(-2000);
    });
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`the own loop of ${trainer} ended with code ${code}: ${tail}`);
    return await fastestEpoch(join(folder, 'metrics.jsonl'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function underEpochal(
  host: BenchHost,
  { trainer, epochs, parameters }: Comparison,
  data: string | undefined,
): Promise<number> {
  const receipt = await (await host.train({ trainer, epochs, parameters, ...(data ? { data } : {}) })).result();
  return fastestEpoch(join(receipt.outputFolder ?? '', 'metrics.jsonl'));
}

async function compare(host: BenchHost, comparison: Comparison): Promise<BenchResult['rows'][number]> {
  const { trainer, pairs } = comparison;
  const requirements = await readRequirements(join(root, 'trainers', trainer, 'trainer.py'));
  const { python } = await ensureEnvironment({ requirements });
  const data = comparison.images
    ? await makeShapes(python, join(host.folder, 'shapes', trainer), comparison.images)
    : undefined;
  const own: number[] = [];
  const ratios: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    // The order alternates, so that a machine that gets slower or faster favours neither.
    const before = pair % 2 === 0 ? await ownLoop(python, comparison, data) : null;
    const ours = await underEpochal(host, comparison, data);
    const plain = before ?? (await ownLoop(python, comparison, data));
    own.push(plain);
    ratios.push(ours / plain);
    process.stderr.write(`  ${trainer}, pair ${pair + 1} of ${pairs}: ${ours.toFixed(3)} s ÷ ${plain.toFixed(3)} s\n`);
  }
  const [least, middle, most] = [Math.min(...ratios), median(ratios), Math.max(...ratios)].map((one) => rounded(one));
  return [trainer, rounded(median(own)), pairs, least ?? 0, middle ?? 0, most ?? 0];
}

/** Compares the trainers with these names. `pairsAsked` in place of as many as each needs for a steady median. */
export async function trainersOverhead(names: readonly string[], pairsAsked?: number): Promise<BenchResult> {
  const host = await BenchHost.start(1, environment);
  const rows: BenchResult['rows'] = [];
  try {
    for (const comparison of comparisons) {
      if (!names.includes(comparison.trainer)) continue;
      rows.push(await compare(host, { ...comparison, pairs: pairsAsked ?? comparison.pairs }));
    }
  } finally {
    await host.stop();
  }
  return {
    title: 'An epoch under Epochal ÷ an epoch of the framework’s own loop',
    about:
      'Same configuration and data, a checkpoint an epoch on both sides, in pairs; of each run its fastest epoch. Target: a median of at most 1.02.',
    columns: ['trainer', 'own epoch (s)', 'pairs', 'ratio min', 'ratio median', 'ratio max'],
    rows,
  };
}

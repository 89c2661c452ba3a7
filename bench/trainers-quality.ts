/**
 * Each trainer from scratch on the data that its folder makes, by hand and without a server: whether it reaches what it
 * should. Takes the better part of an hour on a CPU.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';
import { runConfigSchema } from '../contracts/run-config.ts';
import { ensureEnvironment, readRequirements } from '../worker/python-environments.ts';
import type { BenchResult } from './result.ts';
import { makeShapes } from './shapes.ts';
import { rounded } from './statistics.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Training {
  trainer: string;
  metric: string;
  atLeast: number;
  /** The trainer needs a data set: so many images of shapes. Else it brings handwritten digits. */
  images?: number;
}

/** Epochs and parameters are those of `trainers/<trainer>/example.yaml`. */
const trainings: readonly Training[] = [
  { trainer: 'pytorch', metric: 'val_accuracy', atLeast: 0.97 },
  { trainer: 'lightning', metric: 'val_accuracy', atLeast: 0.97 },
  { trainer: 'transformers', metric: 'eval_accuracy', atLeast: 0.95 },
  { trainer: 'yolov8', metric: 'mAP50', atLeast: 0.9, images: 320 },
  { trainer: 'mmdetection', metric: 'mAP50', atLeast: 0.5, images: 320 },
];

const rowSchema = z.object({ epoch: z.int(), seconds: z.number(), metrics: z.record(z.string(), z.number()) });

async function train(training: Training): Promise<BenchResult['rows'][number]> {
  const { trainer, metric, atLeast } = training;
  const file = join(root, 'trainers', trainer, 'trainer.py');
  const example = parse(await readFile(join(root, 'trainers', trainer, 'example.yaml'), 'utf8'));
  const { epochs, parameters, seed } = runConfigSchema.parse(example);
  const { python } = await ensureEnvironment({ requirements: await readRequirements(file) });
  const folder = await mkdtemp(join(tmpdir(), 'epochal-quality-'));
  try {
    const data = training.images ? await makeShapes(python, join(folder, 'shapes'), training.images) : null;
    const settings = Object.entries(parameters).flatMap(([name, value]) => [
      '--set',
      `${name}=${JSON.stringify(value)}`,
    ]);
    const run = join(folder, 'run');
    const place = ['--seed', String(seed), '--folder', run, ...(data ? ['--data', data] : [])];
    const child = spawn(python, [file, 'train', '--epochs', String(epochs), ...place, ...settings], {
      env: { ...process.env, PYTHONPATH: join(root, 'trainers', 'epochal') },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`${trainer} ended with code ${code}`);
    const lines = (await readFile(join(run, 'metrics.jsonl'), 'utf8')).trim().split('\n');
    const rows = lines.map((line) => rowSchema.parse(JSON.parse(line)));
    const values = rows.map(({ metrics }) => metrics[metric] ?? 0);
    const [best, first] = [Math.max(...values), values.findIndex((value) => value >= atLeast)];
    const minutes = rows.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
    return [
      trainer,
      data ? `${training.images} images of shapes` : 'digits',
      metric,
      atLeast,
      rounded(best),
      values.indexOf(best) + 1,
      first < 0 ? 'never' : first + 1,
      rows.length,
      rounded(minutes, 1),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Trains those with these names. */
export async function trainersQuality(names: readonly string[]): Promise<BenchResult> {
  const rows: BenchResult['rows'] = [];
  for (const training of trainings) {
    if (names.includes(training.trainer)) rows.push(await train(training));
  }
  return {
    title: 'From scratch to a stated quality',
    about: 'Handwritten digits of 8 × 8 pixels, shapes of 160 × 160; a part of each is for validation. On a CPU.',
    columns: [
      'trainer',
      'trained on',
      'metric',
      'at least',
      'best',
      'in epoch',
      'reached in epoch',
      'epochs',
      'minutes',
    ],
    rows,
  };
}

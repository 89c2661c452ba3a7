/**
 * `npm run bench:quality [-- name …]`: trains detectors from scratch on shapes, by hand and without a server, and says
 * whether they reach what they should. Takes minutes to hours on a CPU. `--write` puts the table into docs/benchmarks.md.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { z } from 'zod';
import { ensureEnvironment, readRequirements } from '../worker/python-environments.ts';
import type { BenchResult } from './result.ts';
import { makeShapes } from './shapes.ts';
import { rounded } from './statistics.ts';
import { writeTable } from './write-table.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Training {
  trainer: string;
  epochs: number;
  pictures: number;
  metric: string;
  atLeast: number;
  parameters: Record<string, unknown>;
}

const trainings: readonly Training[] = [
  {
    trainer: 'yolov8',
    epochs: 40,
    pictures: 320,
    metric: 'mAP50',
    atLeast: 0.9,
    parameters: {
      size: 'n',
      image_size: 160,
      batch_size: 16,
      optimizer: 'AdamW',
      lr0: 0.002,
      close_mosaic: 10,
      device: 'cpu',
    },
  },
  {
    trainer: 'mmdetection',
    epochs: 20,
    pictures: 160,
    metric: 'mAP50',
    atLeast: 0.5,
    parameters: {
      config: 'retinanet_r18_fpn_1x_coco',
      image_size: 160,
      batch_size: 8,
      workers: 0,
      device: 'cpu',
      overrides: {
        'optim_wrapper.optimizer': { type: 'AdamW', lr: 0.0003, weight_decay: 0.01, _delete_: true },
        'optim_wrapper.clip_grad': { max_norm: 10 },
        'param_scheduler.0.end': 30,
      },
    },
  },
];

const rowSchema = z.object({ epoch: z.int(), seconds: z.number(), metrics: z.record(z.string(), z.number()) });

async function train(training: Training): Promise<BenchResult['rows'][number]> {
  const { trainer, epochs, pictures, metric, atLeast, parameters } = training;
  const file = join(root, 'trainers', trainer, 'trainer.py');
  const { python } = await ensureEnvironment({ requirements: await readRequirements(file) });
  const folder = await mkdtemp(join(tmpdir(), 'epochal-quality-'));
  try {
    const data = await makeShapes(python, join(folder, 'shapes'), pictures);
    const settings = Object.entries(parameters).flatMap(([name, value]) => [
      '--set',
      `${name}=${JSON.stringify(value)}`,
    ]);
    const run = join(folder, 'run');
    const child = spawn(
      python,
      [file, 'train', '--epochs', String(epochs), '--data', data, '--folder', run, ...settings],
      {
        env: { ...process.env, PYTHONPATH: join(root, 'trainers', 'epochal') },
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    );
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`${trainer} ended with code ${code}`);
    const lines = (await readFile(join(run, 'metrics.jsonl'), 'utf8')).trim().split('\n');
    const rows = lines.map((line) => rowSchema.parse(JSON.parse(line)));
    const values = rows.map(({ metrics }) => metrics[metric] ?? 0);
    const first = values.findIndex((value) => value >= atLeast);
    const minutes = rows.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
    return [
      trainer,
      metric,
      atLeast,
      rounded(Math.max(...values)),
      first < 0 ? 'never' : first + 1,
      epochs,
      rounded(minutes),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const asked = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const result: BenchResult = {
  title: 'Detectors from scratch on shapes',
  about: 'Pictures of 160 × 160 pixels, a quarter of them for validation, on a CPU.',
  columns: ['trainer', 'metric', 'at least', 'best', 'reached in epoch', 'epochs', 'minutes'],
  rows: [],
};
for (const training of trainings) {
  if (asked.length === 0 || asked.includes(training.trainer)) result.rows.push(await train(training));
}
const table = new Table({ head: result.columns, style: { head: [], border: [] } });
table.push(...result.rows);
process.stdout.write(`\n${result.title}\n${result.about}\n${table.toString()}\n`);
if (process.argv.includes('--write')) await writeTable('quality', result);

/**
 * `npm run bench:hrda`: what each part of HRDA is worth on two made domains, three seeds each, and what its
 * high-resolution branch costs. Trains by hand and without a server; `--parallel=N` trains N at a time. Ends with code 1
 * where the order is not the expected one. `--write` puts the tables into docs/benchmarks.md.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';
import { ensureEnvironment, readRequirements } from '../worker/python-environments.ts';
import type { BenchResult } from './result.ts';
import { showResult } from './show-result.ts';
import { rounded } from './statistics.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const trainer = join(root, 'trainers', 'hrda', 'trainer.py');

interface Arm {
  name: string;
  parameters: Record<string, unknown>;
}

/** Each of the first, second and fourth adds one part to the one before; the third says what detail is worth alone. */
const sourceOnly: Arm = {
  name: 'source only, low resolution',
  parameters: { self_training: false, high_resolution: false },
};
const sourceDetail: Arm = { name: 'source only, both resolutions', parameters: { self_training: false } };
const lowResolution: Arm = { name: 'self-training, low resolution', parameters: { high_resolution: false } };
const hrda: Arm = { name: 'HRDA', parameters: {} };
const withoutRare: Arm = { name: 'HRDA without rare class sampling', parameters: { rare_class_sampling: false } };
const arms = [sourceOnly, lowResolution, sourceDetail, hrda, withoutRare];
const seeds = [0, 1, 2];
const RARE = 'IoU_sign';

const rowSchema = z.object({ seconds: z.number(), metrics: z.record(z.string(), z.number()) });
const exampleSchema = z.object({ epochs: z.int(), parameters: z.record(z.string(), z.unknown()) });
const costSchema = z.object({
  name: z.string(),
  step: z.number(),
  inference: z.number(),
  stepMegabytes: z.number(),
  inferenceMegabytes: z.number(),
});

async function run(python: string, args: readonly string[]): Promise<string> {
  const child = spawn(python, args, {
    env: { ...process.env, PYTHONPATH: join(root, 'trainers', 'epochal'), OMP_NUM_THREADS: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (text: Buffer) => {
    output += text;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${args[0]} ended with code ${code}`);
  return output;
}

interface Reached {
  arm: Arm;
  seed: number;
  mIoU: number;
  rare: number;
  minutes: number;
}

/** Trains one arm as trainers/hrda/example.yaml has it, on the domains of its seed; the last epoch counts. */
async function train(python: string, data: string, arm: Arm, seed: number, folder: string): Promise<Reached> {
  const example = exampleSchema.parse(parse(await readFile(join(root, 'trainers', 'hrda', 'example.yaml'), 'utf8')));
  const settings = Object.entries({ ...example.parameters, sample_images: 0, device: 'cpu', ...arm.parameters });
  await run(python, [
    trainer,
    'train',
    ...['--epochs', String(example.epochs), '--seed', String(seed), '--data', data, '--folder', folder],
    ...settings.flatMap(([name, value]) => ['--set', `${name}=${JSON.stringify(value)}`]),
  ]);
  const rows = (await readFile(join(folder, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  const epochs = rows.map((row) => rowSchema.parse(JSON.parse(row)));
  const last = epochs.at(-1)?.metrics ?? {};
  const minutes = epochs.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
  return { arm, seed, mIoU: 100 * (last.mIoU ?? 0), rare: 100 * (last[RARE] ?? 0), minutes };
}

async function quality(python: string, folder: string, parallel: number): Promise<Reached[]> {
  const data = new Map<number, string>();
  for (const seed of seeds) {
    const place = join(folder, `domains-${seed}`);
    await run(python, [join(root, 'trainers', 'examples', 'make_domains.py'), '--seed', String(seed), place]);
    data.set(seed, place);
  }
  const todo = seeds.flatMap((seed) => arms.map((arm) => ({ seed, arm })));
  const reached: Reached[] = [];
  const next = async (): Promise<void> => {
    for (let one = todo.shift(); one !== undefined; one = todo.shift()) {
      const { seed, arm } = one;
      const place = join(folder, `run-${seed}-${arms.indexOf(arm)}`);
      const found = await train(python, data.get(seed) ?? '', arm, seed, place);
      process.stderr.write(
        `  ${arm.name}, seed ${seed}: mIoU ${found.mIoU.toFixed(1)}, rare ${found.rare.toFixed(1)}\n`,
      );
      reached.push(found);
    }
  };
  await Promise.all(Array.from({ length: parallel }, next));
  return reached;
}

const mean = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;

function table(reached: readonly Reached[]): { result: BenchResult; wrong: string[] } {
  const of = (arm: Arm) => reached.filter((one) => one.arm === arm).sort((a, b) => a.seed - b.seed);
  const reaches = (arm: Arm) => mean(of(arm).map(({ mIoU }) => mIoU));
  const rare = (arm: Arm) => mean(of(arm).map((one) => one.rare));
  const expected: [boolean, string][] = [
    [reaches(sourceOnly) < reaches(lowResolution), 'self-training at low resolution is better than the source only'],
    [reaches(hrda) >= reaches(sourceOnly) + 10, 'HRDA is at least 10 points better than the source only'],
    [reaches(hrda) >= reaches(lowResolution) + 2, 'HRDA is at least 2 points better than low resolution only'],
    [rare(hrda) > rare(withoutRare), 'the rare class gains from rare class sampling'],
  ];
  const result: BenchResult = {
    title: 'HRDA and its parts on two made domains',
    about:
      'IoU in percent on the validation images of the target after the last epoch, mean over the classes (mIoU) and ' +
      'of the rare class (sign); configuration of `trainers/hrda/example.yaml`, a data set for each seed.',
    columns: ['', ...seeds.map((seed) => `mIoU, seed ${seed}`), 'mean mIoU', 'mean IoU of sign', 'minutes'],
    rows: arms.map((arm) => [
      arm.name,
      ...of(arm).map(({ mIoU }) => rounded(mIoU, 1)),
      rounded(reaches(arm), 1),
      rounded(rare(arm), 1),
      rounded(mean(of(arm).map(({ minutes }) => minutes)), 1),
    ]),
  };
  return { result, wrong: expected.filter(([holds]) => !holds).map(([, sentence]) => sentence) };
}

async function cost(python: string): Promise<BenchResult> {
  const rows: BenchResult['rows'] = [];
  for (const branch of ['without', 'with']) {
    const output = await run(python, [join(root, 'bench', 'hrda_cost.py'), branch]);
    const { name, step, inference, stepMegabytes, inferenceMegabytes } = costSchema.parse(JSON.parse(output));
    rows.push([name, rounded(step), rounded(stepMegabytes, 0), rounded(inference), rounded(inferenceMegabytes, 0)]);
  }
  return {
    title: 'What the high-resolution branch costs',
    about:
      'MiT-B0 and a decoder of 256 channels on one core, crops of 256 pixels with details of 128: median seconds of a ' +
      'step of self-training with a batch of 2, and of sliding-window inference on an image of 512 × 256. Memory is the ' +
      'most that the process had resident, beyond what it had with the network made.',
    columns: ['', 'step (s)', 'step (MB)', 'inference (s)', 'inference (MB)'],
    rows,
  };
}

const write = process.argv.includes('--write');
const option = (name: string) => process.argv.find((one) => one.startsWith(`--${name}=`))?.split('=')[1];
const asked = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const { python } = await ensureEnvironment({ requirements: await readRequirements(trainer) });
const folder = await mkdtemp(join(tmpdir(), 'epochal-hrda-'));
try {
  if (asked.length === 0 || asked.includes('cost')) {
    const result = await cost(python);
    await showResult(result, 'hrda-cost', { write });
  }
  if (asked.length === 0 || asked.includes('parts')) {
    const { result, wrong } = table(await quality(python, folder, Number(option('parallel') ?? 1)));
    await showResult(result, 'hrda', { write });
    for (const sentence of wrong) process.stdout.write(`This does not hold: ${sentence}.\n`);
    if (wrong.length > 0) process.exitCode = 1;
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

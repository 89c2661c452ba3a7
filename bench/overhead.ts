/**
 * What the service costs: the digits training under Epochal ÷ the same arithmetic, batches and checkpoints in a bare
 * loop, in pairs, for epochs of about 0.1 s, 1 s and 10 s.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureEnvironment, readRequirements } from '../worker/python-environments.ts';
import { BenchHost } from './bench-host.ts';
import { secondsPerEpoch } from './epoch-times.ts';
import type { BenchResult } from './result.ts';
import { median, rounded } from './statistics.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Hidden layers to choose from: the first whose epoch is at least as long as wanted. */
const widths = [32, 64, 128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096];
const wanted = [
  { seconds: 0.1, epochs: 60, pairs: 4 },
  { seconds: 1, epochs: 12, pairs: 5 },
  { seconds: 10, epochs: 3, pairs: 2 },
];

/** As the trainer sets it for itself, before its first import. */
const oneThread = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MKL_NUM_THREADS: '1' };

type Parameters = { hidden_layers: number[]; batch_size: number };
const parametersOf = (width: number): Parameters => ({ hidden_layers: [width, width], batch_size: 32 });

async function bare(python: string, epochs: number, parameters: Parameters): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-bare-'));
  try {
    const child = spawn(
      python,
      [join(root, 'bench', 'bare_digits.py'), folder, String(epochs), JSON.stringify(parameters)],
      {
        env: { ...process.env, ...oneThread, PYTHONPATH: join(root, 'trainers', 'epochal') },
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    );
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`the bare loop ended with code ${code}`);
    return await secondsPerEpoch(join(folder, 'metrics.jsonl'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function orchestrated(host: BenchHost, epochs: number, parameters: Parameters): Promise<number> {
  const run = await host.train({ trainer: 'digits', epochs, parameters });
  const receipt = await run.result();
  return secondsPerEpoch(join(receipt.outputFolder ?? '', 'metrics.jsonl'));
}

export async function overhead(): Promise<BenchResult> {
  const { python } = await ensureEnvironment({
    requirements: await readRequirements(join(root, 'trainers', 'digits', 'trainer.py')),
  });
  const host = await BenchHost.start(1);
  try {
    const rows: BenchResult['rows'] = [];
    for (const { seconds, epochs, pairs } of wanted) {
      const parameters = await calibrated(python, seconds);
      const ratios: number[] = [];
      const bareTimes: number[] = [];
      for (let pair = 0; pair < pairs; pair++) {
        // The order alternates, so that a machine that gets slower or faster favours neither.
        const run = {
          bare: () => bare(python, epochs, parameters),
          service: () => orchestrated(host, epochs, parameters),
        };
        const first = pair % 2 === 0 ? await run.bare() : await run.service();
        const second = pair % 2 === 0 ? await run.service() : await run.bare();
        const [plain, ours] = pair % 2 === 0 ? [first, second] : [second, first];
        ratios.push(ours / plain);
        bareTimes.push(plain);
        process.stderr.write(
          `  ${seconds} s epochs, pair ${pair + 1} of ${pairs}: ${ours.toFixed(3)} s ÷ ${plain.toFixed(3)} s\n`,
        );
      }
      rows.push([
        seconds,
        rounded(median(bareTimes)),
        pairs,
        rounded(Math.min(...ratios)),
        rounded(median(ratios)),
        rounded(Math.max(...ratios)),
      ]);
    }
    return {
      title: 'Orchestrated ÷ bare training time',
      about: 'Digits, a checkpoint an epoch on both sides, in pairs. Target: a median of at most 1.01 at 1 s epochs.',
      columns: ['epoch of about (s)', 'bare epoch (s)', 'pairs', 'ratio min', 'ratio median', 'ratio max'],
      rows,
    };
  } finally {
    await host.stop();
  }
}

async function calibrated(python: string, seconds: number): Promise<Parameters> {
  for (const width of widths) {
    const parameters = parametersOf(width);
    if ((await bare(python, 2, parameters)) >= seconds * 0.7) return parameters;
  }
  return parametersOf(widths.at(-1) ?? 4096);
}

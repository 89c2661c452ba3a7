/**
 * What snapshots cost: pairs of runs side by side, one with `checkpoints.snapshots: auto` and one without. Compared is the time from
 * the end of the first epoch to that of the last, saves included.
 */
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunConfigInput } from '../contracts/run-config.ts';
import { FaultHosts } from '../test/faults/fault-host.ts';
import { FaultServer } from '../test/faults/fault-server.ts';
import { epochRows } from '../worker/run-report.ts';
import type { BenchResult } from './result.ts';
import { median, rounded } from './statistics.ts';

const pairs = 5;

type Training = Pick<RunConfigInput, 'trainer' | 'epochs' | 'parameters'>;

const trainings: [string, Training][] = [
  [
    'waits 50 ms in every batch (counter, 100 batches an epoch)',
    { trainer: 'counter', epochs: 4, parameters: { batches: 100, validation_batches: 0, batch_seconds: 0.05 } },
  ],
  [
    'waits 50 ms in every batch and computes (digits, 45 batches an epoch)',
    { trainer: 'digits', epochs: 7, parameters: { hidden_layers: [256, 256], batch_delay_seconds: 0.05 } },
  ],
  [
    'computes all the time, in one thread (digits, 45 batches an epoch)',
    { trainer: 'digits', epochs: 8, parameters: { hidden_layers: [1024, 1024] } },
  ],
];

export async function snapshots(): Promise<BenchResult> {
  const server = await FaultServer.start(await mkdtemp(join(tmpdir(), 'epochal-bench-server-')));
  const hosts = await FaultHosts.open(server.address);
  const rows: BenchResult['rows'] = [];
  try {
    await hosts.worker({ slots: 2 });
    for (const [what, training] of trainings) {
      const ratios: number[] = [];
      const seconds: number[] = [];
      for (let pair = 0; pair < pairs; pair++) {
        const [with_, without] = await Promise.all([
          trained(hosts, training, 'auto'),
          trained(hosts, training, 'off'),
        ] as const);
        ratios.push(with_ / without);
        seconds.push(without);
      }
      process.stderr.write(`  ${what}: ${ratios.map((ratio) => ratio.toFixed(4)).join(', ')}\n`);
      const figures = [Math.min(...ratios), median(ratios), Math.max(...ratios)].map((ratio) => rounded(ratio, 4));
      rows.push([what, pairs, rounded(median(seconds), 1), ...figures]);
    }
  } finally {
    await hosts.close();
    await server.stop();
  }
  return {
    title: 'Training with snapshots ÷ training without',
    about: '`checkpoints.snapshots: auto` against `off`, in pairs. Target: a median of at most 1.01.',
    columns: ['the trainer', 'pairs', 'without, median (s)', 'ratio min', 'ratio median', 'ratio max'],
    rows,
  };
}

async function trained(hosts: FaultHosts, training: Training, how: 'auto' | 'off'): Promise<number> {
  const run = await hosts.start({ ...training, checkpoints: { snapshots: how } });
  const { receipt } = await run.closed(600);
  if (receipt?.outcome !== 'completed')
    throw new Error(`${run.id} did not complete: ${JSON.stringify(receipt?.cause)}`);
  const rows = [...epochRows(await readFile(join(run.outputFolder, 'metrics.jsonl'), 'utf8')).values()];
  const [first, last] = [rows[0], rows.at(-1)];
  if (!first || !last) throw new Error(`${run.id} has no epochs`);
  return (Date.parse(last.at) - Date.parse(first.at)) / 1000;
}

/** How soon a stop is known, honoured and landed, over 30 runs of 50 ms batches. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { keptEventSchema } from '../worker/run-report.ts';
import { BenchHost } from './bench-host.ts';
import type { BenchResult } from './result.ts';
import { percentile, rounded } from './statistics.ts';

const stops = 30;
const batchSeconds = 0.05;

export async function stop(): Promise<BenchResult> {
  const host = await BenchHost.start(1);
  try {
    const known: number[] = [];
    const ended: number[] = [];
    const landed: number[] = [];
    for (let index = 0; index < stops; index++) {
      const run = await host.train({
        trainer: 'counter',
        epochs: 10,
        parameters: { batches: 100_000, batch_seconds: batchSeconds },
      });
      await host.training(run);
      const asked = Date.now();
      await run.executeUpdate('stop', { args: [{ mode: 'batch' }] as unknown as [] });
      const receipt = await run.result();
      landed.push(Date.now() - asked);
      const text = await readFile(join(receipt.outputFolder ?? '', 'logs', 'events.jsonl'), 'utf8');
      const events = text
        .trim()
        .split('\n')
        .map((line) => keptEventSchema.parse(JSON.parse(line)));
      const at = (type: string) => Date.parse(events.find(({ event }) => event.type === type)?.at ?? '');
      known.push(at('acknowledged') - asked);
      ended.push(at('stopped') - asked);
      if (receipt.batches.afterStop !== null && receipt.batches.afterStop > 1)
        throw new Error('a batch was begun after the stop');
    }
    const row = (what: string, values: number[], target: string) => [
      what,
      stops,
      rounded(percentile(values, 0.5), 0),
      rounded(percentile(values, 0.95), 0),
      rounded(Math.max(...values), 0),
      target,
    ];
    return {
      title: 'From a stop to its end',
      about: `Milliseconds from the moment the update is sent; batches take ${batchSeconds * 1000} ms.`,
      columns: ['until', 'stops', 'p50 (ms)', 'p95 (ms)', 'max (ms)', 'target'],
      rows: [
        row('the trainer knows', known, 'p95 ≤ 100 ms'),
        row('the batch has ended, its checkpoint is written', ended, ''),
        row('stopped: published, cleaned up, receipt', landed, ''),
      ],
    };
  } finally {
    await host.stop();
  }
}

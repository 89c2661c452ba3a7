/** Many runs of tiny epochs at once: epochs a second over all of them, and the worker's memory. */
import { join } from 'node:path';
import { BenchHost } from './bench-host.ts';
import { epochEnds } from './epoch-times.ts';
import type { BenchResult } from './result.ts';
import { rounded } from './statistics.ts';

const sizes = [
  { runs: 1, epochs: 100 },
  { runs: 20, epochs: 40 },
  { runs: 100, epochs: 15 },
];

export async function concurrency(): Promise<BenchResult> {
  const rows: BenchResult['rows'] = [];
  for (const { runs, epochs } of sizes) {
    const host = await BenchHost.start(runs);
    try {
      let memory = 0;
      const sampling = setInterval(
        () =>
          void host.workerMemory().then((now) => {
            memory = Math.max(memory, now ?? 0);
          }),
        500,
      );
      const started = await Promise.all(
        Array.from({ length: runs }, () =>
          host.train({
            trainer: 'counter',
            epochs,
            parameters: { batches: 1, validation_batches: 0 },
            deadlines: { heartbeatSeconds: 120 },
          }),
        ),
      );
      const receipts = await Promise.all(started.map((run) => run.result()));
      clearInterval(sampling);
      const ends: number[] = [];
      for (const { outputFolder } of receipts) {
        ends.push(...(await epochEnds(join(outputFolder ?? '', 'metrics.jsonl'))));
      }
      if (ends.length !== runs * epochs)
        throw new Error(`${ends.length} epochs were trained, and not ${runs * epochs}`);
      // Reduced one by one: a spread of thousands of numbers is too long a call.
      const [first, last] = [ends.reduce((a, b) => Math.min(a, b)), ends.reduce((a, b) => Math.max(a, b))];
      rows.push([runs, epochs, rounded((ends.length - 1) / ((last - first) / 1000), 1), memory]);
      process.stderr.write(`  ${runs} runs: done\n`);
    } finally {
      await host.stop();
    }
  }
  return {
    title: 'Concurrent runs of tiny epochs',
    about:
      'One worker and one server with a database file on one machine, one batch and one checkpoint an epoch; a trainer process a run.',
    columns: ['runs', 'epochs each', 'epochs a second, all runs', 'worker memory, peak (MiB)'],
    rows,
  };
}

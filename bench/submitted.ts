/**
 * A thousand short runs, submitted at once to one host with four slots: how many are completed a second from the first to the last, and what
 * the process takes that serves their workflows and trains them.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { forEach } from '../stores/for-each.ts';
import { BenchHost } from './bench-host.ts';
import type { BenchResult } from './result.ts';
import { rounded } from './statistics.ts';

const runs = Number(process.env.EPOCHAL_BENCH_SUBMITTED ?? 1_000);
const slots = 4;
/** Starts that are under way side by side. */
const submittedTogether = 50;
/** Of the windows, the slowest one tells whether checks hold sessions up. */
const windowSeconds = 30;

/** How many runs were completed after so many seconds. */
interface Sample {
  seconds: number;
  completed: number;
}

export async function submitted(): Promise<BenchResult> {
  const host = await BenchHost.start(slots);
  try {
    const completedBefore = await completed(host);
    const began = performance.now();
    const since = () => (performance.now() - began) / 1000;
    const samples: Sample[] = [{ seconds: 0, completed: 0 }];
    let memory = 0;
    const submitting = submit(host).then(since);
    submitting.catch(() => undefined);
    for (;;) {
      const last = samples.at(-1)?.completed ?? 0;
      if (last >= runs) break;
      await Promise.race([delay(1_000), submitting.then(() => delay(1_000))]);
      memory = Math.max(memory, (await host.workerMemory()) ?? 0);
      const now = (await completed(host)) - completedBefore;
      samples.push({ seconds: since(), completed: now });
      const others = await ended(host, 'Failed', 'Terminated', 'TimedOut', 'Canceled');
      if (others > 0) throw new Error(`${others} of ${runs} runs were not completed`);
      if (Math.floor(now / 100) > Math.floor(last / 100)) {
        process.stderr.write(`  ${now} of ${runs} runs after ${since().toFixed(0)} s, ${memory} MiB\n`);
      }
    }
    const seconds = since();
    const row = (what: string, measured: number, target = '') => [what, measured, target];
    return {
      title: `${runs} runs submitted at once to one host`,
      about: `One epoch of one batch each, ${slots} slots, a server with a database file on the same machine. The worker serves the workflows, too.`,
      columns: ['what', 'measured', 'target'],
      rows: [
        row('all are submitted after (s)', rounded(await submitting, 0)),
        row('all are completed after (s)', rounded(seconds, 0)),
        row('completed a second, all in all', rounded(runs / seconds, 1), '≥ 4'),
        row(`completed a second, in the slowest ${windowSeconds} s`, rounded(slowest(samples), 1), '≥ 4'),
        row('memory of the worker, peak (MiB)', memory, '≤ 700'),
      ],
    };
  } finally {
    await host.stop();
  }
}

const submit = (host: BenchHost): Promise<void> =>
  forEach(Array.from({ length: runs }), submittedTogether, async () => {
    await host.train({
      trainer: 'counter',
      epochs: 1,
      parameters: { batches: 1, batch_seconds: 0, validation_batches: 0 },
    });
  });

const ended = async (host: BenchHost, ...statuses: string[]): Promise<number> => {
  const wanted = statuses.map((status) => `ExecutionStatus = '${status}'`).join(' OR ');
  return (await host.client.workflow.count(`WorkflowType = 'trainingRun' AND (${wanted})`)).count;
};
const completed = (host: BenchHost) => ended(host, 'Completed');

/** Runs a second in the slowest window of that length; the last, which may be shorter, has too few to tell. */
function slowest(samples: readonly Sample[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (const from of samples) {
    const to = samples.find(({ seconds }) => seconds - from.seconds >= windowSeconds);
    if (!to) break;
    least = Math.min(least, (to.completed - from.completed) / (to.seconds - from.seconds));
  }
  return Number.isFinite(least) ? least : runs / (samples.at(-1)?.seconds ?? 1);
}

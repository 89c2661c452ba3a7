/**
 * What a tracker costs that is down for a whole training: pairs of runs one after the other, one that tells MLflow, which ends every connection, and one that tells nobody.
 * Compared is the time from the end of the first epoch to that of the last. Then MLflow is back, and has to have all of every run.
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunConfigInput } from '../contracts/run-config.ts';
import { trackedDifferences } from '../test/faults/check-tracked.ts';
import { MlflowReader } from '../test/observers/servers/mlflow-read.ts';
import { startMlflow } from '../test/observers/servers/mlflow-ready.ts';
import { FaultProxy } from '../test/stores/servers/fault-proxy.ts';
import { epochRows } from '../worker/run-report.ts';
import { BenchHost } from './bench-host.ts';
import { secondsPerEpoch } from './epoch-times.ts';
import type { BenchResult } from './result.ts';
import { median, medianInterval, rounded } from './statistics.ts';

const pairs = Number(process.env.EPOCHAL_BENCH_TRACKERS_PAIRS ?? 10);
/** Rests between tries double, so that the longest is as long as the outage was. */
const longestCatchUpSeconds = 3600;

type Training = Pick<RunConfigInput, 'trainer' | 'epochs' | 'parameters'>;

const trainings: [string, Training][] = [
  [
    'waits 50 ms in every batch (counter, 20 batches an epoch)',
    { trainer: 'counter', epochs: 13, parameters: { batches: 20, validation_batches: 0, batch_seconds: 0.05 } },
  ],
  [
    'computes all the time, in one thread (digits, 45 batches an epoch)',
    { trainer: 'digits', epochs: 9, parameters: { hidden_layers: [1024, 1024] } },
  ],
];

interface Told {
  experiment: string;
  metricsFile: string;
}

export async function trackers(): Promise<BenchResult> {
  const { server, stop } = await startMlflow();
  try {
    if (!server) throw new Error('there is no MLflow server, and none can be had');
    const proxy = await FaultProxy.to(server.endpoint);
    try {
      return await measured(proxy, new MlflowReader(server), server.environment);
    } finally {
      await proxy.close();
    }
  } finally {
    await stop();
  }
}

async function measured(proxy: FaultProxy, reader: MlflowReader, environment: NodeJS.ProcessEnv): Promise<BenchResult> {
  const host = await BenchHost.start(1, { ...environment, MLFLOW_TRACKING_URI: proxy.endpoint });
  try {
    const rows: BenchResult['rows'] = [];
    for (const [what, training] of trainings) {
      proxy.break(() => true, { kind: 'cutRequest', after: 0 }, Number.POSITIVE_INFINITY);
      const told: Told[] = [];
      const ratios: number[] = [];
      const alone: number[] = [];
      for (let pair = 0; pair < pairs; pair++) {
        const down = async () => {
          const experiment = `bench-${randomUUID()}`;
          const metricsFile = await trained(host, { ...training, trackers: [{ mlflow: { experiment } }] });
          told.push({ experiment, metricsFile });
          return secondsPerEpoch(metricsFile);
        };
        const nobody = async () => secondsPerEpoch(await trained(host, { ...training, trackers: [] }));
        // The order alternates, so that a machine that gets slower or faster favours neither.
        const first = pair % 2 === 0 ? await nobody() : await down();
        const second = pair % 2 === 0 ? await down() : await nobody();
        const [without, with_] = pair % 2 === 0 ? [first, second] : [second, first];
        ratios.push(with_ / without);
        alone.push(without);
        const figures = `${with_.toFixed(3)} s ÷ ${without.toFixed(3)} s`;
        process.stderr.write(`  ${what}, pair ${pair + 1} of ${pairs}: ${figures}\n`);
      }
      if (proxy.seen.length === 0) throw new Error('nobody asked the tracker: nothing was measured');
      proxy.heal();
      const whole = await wholeOnes(reader, told);
      const interval = medianInterval(ratios).map((ratio) => rounded(ratio, 4));
      const figures = [rounded(median(alone)), rounded(median(ratios), 4), interval.join(' to ')];
      rows.push([what, pairs, ...figures, `${whole} of ${told.length}`]);
    }
    return {
      title: 'Training with a tracker that is down ÷ training without one',
      about:
        'MLflow ends every connection for the whole training, in pairs one after the other; afterwards it is back, and its history is compared with `metrics.jsonl`. Target: a median of at most 1.01, and every history complete.',
      columns: ['the trainer', 'pairs', 'without, epoch (s)', 'ratio median', '95 % interval', 'histories complete'],
      rows,
    };
  } finally {
    await host.stop();
  }
}

/** Its `metrics.jsonl`. */
async function trained(host: BenchHost, config: Omit<RunConfigInput, 'pool'>): Promise<string> {
  const receipt = await (await host.train(config)).result();
  if (receipt.outcome !== 'completed') throw new Error(`a run did not complete: ${JSON.stringify(receipt.cause)}`);
  return join(receipt.outputFolder ?? '', 'metrics.jsonl');
}

/** How many runs MLflow has all of, once it has, or time is up. */
async function wholeOnes(reader: MlflowReader, told: readonly Told[]): Promise<number> {
  const isWhole = async ({ experiment, metricsFile }: Told) => {
    const rows = [...epochRows(await readFile(metricsFile, 'utf8')).values()];
    const wanted = rows.map(({ epoch, at, metrics }) => ({ epoch, at: Date.parse(at), metrics }));
    // There is no such experiment until it is told.
    const runs = await reader.runsOf(experiment).catch(() => []);
    return trackedDifferences(runs, wanted, { outcome: 'completed' }).length === 0;
  };
  const end = performance.now() + longestCatchUpSeconds * 1000;
  let whole = 0;
  for (const one of told) {
    let isThere = await isWhole(one);
    // Whoever asks all the time is in the way of what tells.
    while (!isThere && performance.now() < end) {
      await delay(2000);
      isThere = await isWhole(one);
    }
    if (isThere) whole += 1;
  }
  return whole;
}

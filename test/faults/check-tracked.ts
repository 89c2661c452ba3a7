/**
 * What a tracker has of a run once it is over: without the points that are marked as rolled back, its history is `metrics.jsonl`, and its status is
 * the receipt's outcome. A delivery that was given up is begun again, also after the end: so it is waited for.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { batchesFile, batchRowSchema } from '../../contracts/batch-rows.ts';
import type { Receipt } from '../../contracts/receipt.ts';
import { jsonLines } from '../../worker/run-report.ts';
import { type MeasuredPoint, MlflowReader, type ToldRow, type ToldRun } from '../observers/servers/mlflow-read.ts';
import { until } from '../support/until.ts';
import type { FaultRun } from './fault-run.ts';

/** A server or worker that was killed as it told is noticed by its heartbeat, and told again after rests that double. */
const seconds = 300;

const statuses: Readonly<Record<string, string>> = {
  completed: 'FINISHED',
  stopped: 'KILLED',
  salvaged: 'KILLED',
  lost: 'KILLED',
  failed: 'FAILED',
};

const rowSchema = z.object({
  epoch: z.int(),
  at: z.iso.datetime().transform((at) => Date.parse(at)),
  metrics: z.record(z.string(), z.number()),
});

/** One sentence for each difference; none where nobody tells a tracker. */
export async function checkTracked(run: FaultRun, receipt: Receipt, output: string): Promise<string[]> {
  const { mlflow } = run.hosts;
  if (!mlflow) return [];
  const text = await readFile(join(output, 'metrics.jsonl'), 'utf8').catch(() => '');
  const rows = text
    .split('\n')
    .filter(Boolean)
    .map((line) => rowSchema.parse(JSON.parse(line)));
  const batches = jsonLines(batchRowSchema, await readFile(join(output, batchesFile), 'utf8').catch(() => ''));
  const points = batches.flatMap(({ at, metrics }) =>
    Object.entries(metrics).map(([key, value]) => ({ key, at: Date.parse(at), value })),
  );
  const reader = new MlflowReader(mlflow);
  const experiment = run.config.project ?? 'default';
  let wrong: string[] = [];
  const isRight = async () => {
    try {
      const runs = await reader.runsOf(experiment, `tags.\`epochal.place\` = '${run.place}'`);
      wrong = trackedDifferences(runs, rows, receipt, points);
    } catch (error) {
      wrong = [`MLflow cannot be asked: ${error}`];
    }
    return wrong.length === 0;
  };
  await until('MLflow has all of it', isRight, seconds).catch(() => undefined);
  return wrong;
}

/** Pure: between what a tracker has for a place and what the run came to. */
export function trackedDifferences(
  runs: readonly ToldRun[],
  rows: readonly ToldRow[],
  { outcome }: Pick<Receipt, 'outcome'>,
  /** What batches logged, in order; left out where nobody looks at it. */
  batches?: readonly Omit<MeasuredPoint, 'step'>[],
): string[] {
  const [run] = runs;
  if (!run || runs.length > 1) return [`MLflow has ${runs.length} runs of it`];
  const wrong: string[] = [];
  if (run.tags.get('epochal.outcome') !== outcome)
    wrong.push(`MLflow has the outcome ${run.tags.get('epochal.outcome')}, and the receipt ${outcome}`);
  if (run.status !== statuses[outcome]) wrong.push(`MLflow has the status ${run.status} for ${outcome}`);
  const shown = (some: readonly ToldRow[]) => some.map(({ epoch, at }) => `${epoch}/${at}`).join(' ');
  if (shown(run.rows) !== shown(rows))
    wrong.push(`MLflow has the epochs ${shown(run.rows)}, and metrics.jsonl ${shown(rows)}`);
  else
    for (const [index, row] of rows.entries())
      if (!isDeepStrictEqual(run.rows[index]?.metrics, row.metrics))
        wrong.push(`MLflow has other metrics of epoch ${row.epoch}: ${JSON.stringify(run.rows[index]?.metrics)}`);
  const ofBatches = run.measured.batch.map(({ step: _, ...point }) => point);
  if (batches && !isDeepStrictEqual(ofBatches, batches))
    wrong.push(`MLflow has ${ofBatches.length} points of batches, and ${batchesFile} ${batches.length}, or others`);
  return wrong;
}

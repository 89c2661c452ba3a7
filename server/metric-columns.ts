/** Rows of metrics.jsonl as columns, thinned out. */
import type { FilesPlace, RunFiles } from '../client/run-files.ts';
import type { MetricColumns } from '../contracts/http-answers.ts';
import { type EpochResult, epochResultSchema } from '../contracts/protocol.ts';
import { allRows, newestRows } from './rows-of-runs.ts';

const file = 'metrics.jsonl';

/** Null when there is no such file. Epochs after `after`; of more than `points` every n-th, and always the last. */
export async function metricColumns(
  files: RunFiles,
  place: FilesPlace,
  { points, after }: { points: number; after: number },
): Promise<MetricColumns | null> {
  const size = await files.size(place, file);
  if (size === null) return null;
  const rowsFile = { files, place, file, size, schema: epochResultSchema };
  const rows = after > 0 ? await newestRows(rowsFile, ({ epoch }) => epoch <= after) : await allRows(rowsFile);
  return { source: place.source, total: rows.at(-1)?.epoch ?? after, ...columnsOf(rows, points) };
}

/** Of a run without a completed epoch of its own: also of one that continues another, whose rows stay where they are. */
export const noRows = ({ source }: Pick<FilesPlace, 'source'>, after: number): MetricColumns => ({
  source,
  total: after,
  ...columnsOf([], 0),
});

/** Every epoch may have names of its own: what is left out is in `metrics.jsonl`. */
const mostNames = 500;
/** Of all columns together. */
const mostValues = 2_000_000;

/** The first names, and of more rows than `points`, or than can be sent, every n-th, and always the last. */
export function columnsOf(rows: EpochResult[], points: number): Omit<MetricColumns, 'source' | 'total'> {
  const { names, all } = namesOf(rows);
  const kept = thinned(rows, Math.min(points, Math.floor(mostValues / Math.max(names.length, 1))));
  return {
    epoch: kept.map(({ epoch }) => epoch),
    at: kept.map(({ at }) => Date.parse(at)),
    seconds: kept.map(({ seconds }) => seconds),
    batches: kept.map(({ batches }) => batches),
    metrics: Object.fromEntries(names.map((metric) => [metric, kept.map(({ metrics }) => given(metrics, metric))])),
    all,
  };
}

/** A metric may be called as what every object has: `constructor`. */
const given = (metrics: EpochResult['metrics'], metric: string): number | null =>
  Object.hasOwn(metrics, metric) ? (metrics[metric] ?? null) : null;

function namesOf(rows: EpochResult[]): { names: string[]; all: boolean } {
  const names = new Set<string>();
  for (const { metrics } of rows) {
    for (const name of Object.keys(metrics)) {
      if (names.has(name)) continue;
      if (names.size === mostNames) return { names: [...names], all: false };
      names.add(name);
    }
  }
  return { names: [...names], all: true };
}

function thinned(rows: EpochResult[], points: number): EpochResult[] {
  if (rows.length <= points) return rows;
  const stride = Math.ceil((rows.length - 1) / (points - 1));
  const kept = rows.filter((_, index) => index % stride === 0);
  const last = rows.at(-1);
  if (last && kept.at(-1) !== last) kept.push(last);
  return kept;
}

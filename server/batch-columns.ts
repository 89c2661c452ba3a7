/** Rows of batches.jsonl as columns, thinned out. */
import type { FilesPlace, RunFiles } from '../client/run-files.ts';
import { type BatchRow, batchesFile, batchRowSchema, mostBatchBytes } from '../contracts/batch-rows.ts';
import type { BatchColumns } from '../contracts/http-answers.ts';
import { columnsOfMetrics } from './metric-columns.ts';
import { allRows, newestRows } from './rows-of-runs.ts';

/** Null when there is no such file. Rows after `after`, in milliseconds since 1970; of more than `points` every n-th, and always the last. */
export async function batchColumns(
  files: RunFiles,
  place: FilesPlace,
  { points, after }: { points: number; after: number },
): Promise<BatchColumns | null> {
  const size = await files.size(place, batchesFile);
  if (size === null) return null;
  const file = { files, place, file: batchesFile, size, schema: batchRowSchema, most: mostBatchBytes };
  const rows = after > 0 ? await newestRows(file, ({ at }) => Date.parse(at) <= after) : await allRows(file);
  return { source: place.source, ...batchColumnsOf(rows, points) };
}

/** A training that logs nothing, or one of old. */
export const noBatchRows = ({ source }: Pick<FilesPlace, 'source'>): BatchColumns => ({
  source,
  ...batchColumnsOf([], 0),
});

export function batchColumnsOf(rows: readonly BatchRow[], points: number): Omit<BatchColumns, 'source'> {
  const { kept, metrics, all } = columnsOfMetrics(rows, points);
  return {
    epoch: kept.map(({ epoch }) => epoch),
    batch: kept.map(({ batch }) => batch),
    batches: kept.map(({ batches }) => batches),
    at: kept.map(({ at }) => Date.parse(at)),
    metrics,
    all,
  };
}

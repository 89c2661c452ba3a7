/** Rows of system.jsonl as columns. */
import type { FilesPlace, RunFiles } from '../client/run-files.ts';
import type { SystemColumns } from '../contracts/http-answers.ts';
import {
  type GpuUse,
  mostGpus,
  mostSystemBytes,
  mostSystemRows,
  type SystemRow,
  systemFile,
  systemRowSchema,
} from '../contracts/system-metrics.ts';
import { allRows, newestRows } from './rows-of-runs.ts';

/** Null when there is no such file. Rows after `after`, in milliseconds since 1970. */
export async function systemColumns(files: RunFiles, place: FilesPlace, after: number): Promise<SystemColumns | null> {
  const size = await files.size(place, systemFile);
  if (size === null) return null;
  const file = { files, place, file: systemFile, size, schema: systemRowSchema, most: mostSystemBytes };
  const rows = after > 0 ? await newestRows(file, ({ at }) => Date.parse(at) <= after) : await allRows(file);
  return { source: place.source, ...systemColumnsOf(rows.slice(-mostShown)) };
}

/** A file has no more, unless it was tampered with. */
const mostShown = 2 * mostSystemRows;

/** Nobody has measured: yet, or by a worker of old. */
export const noSystemRows = ({ source }: Pick<FilesPlace, 'source'>): SystemColumns => ({
  source,
  ...systemColumnsOf([]),
});

export function systemColumnsOf(rows: readonly SystemRow[]): Omit<SystemColumns, 'source'> {
  const indices = [...new Set(rows.flatMap(({ gpus }) => gpus.map(({ index }) => index)))]
    .sort((a, b) => a - b)
    .slice(0, mostGpus);
  return {
    at: rows.map(({ at }) => Date.parse(at)),
    seconds: rows.map(({ seconds }) => seconds),
    cpu: rows.map(({ cpu }) => cpu),
    memoryBytes: rows.map(({ memoryBytes }) => memoryBytes),
    readBytes: rows.map(({ readBytes }) => readBytes),
    writtenBytes: rows.map(({ writtenBytes }) => writtenBytes),
    receivedBytes: rows.map(({ receivedBytes }) => receivedBytes),
    sentBytes: rows.map(({ sentBytes }) => sentBytes),
    gpus: indices.map((index) => {
      const column = (name: Exclude<keyof GpuUse, 'index'>) =>
        rows.map(({ gpus }) => gpus.find((gpu) => gpu.index === index)?.[name] ?? null);
      return {
        index,
        use: column('use'),
        memoryBytes: column('memoryBytes'),
        watts: column('watts'),
        celsius: column('celsius'),
      };
    }),
  };
}

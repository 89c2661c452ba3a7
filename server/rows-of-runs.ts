/** Rows of a file of a run, one JSON object per line, read part by part as they come. */
import type { z } from 'zod';
import type { FilesPlace, RunFiles } from '../client/run-files.ts';
import { largestPart } from '../contracts/run-files.ts';

export interface RowsFile<T extends z.ZodType> {
  files: RunFiles;
  place: FilesPlace;
  /** Its path in the run folder. */
  file: string;
  size: number;
  schema: T;
  /** Of a file that is larger only its last so many bytes are read: a trainer may write what it likes. */
  most?: number;
}

export async function allRows<T extends z.ZodType>({
  files,
  place,
  file,
  size,
  schema,
  most = size,
}: RowsFile<T>): Promise<z.output<T>[]> {
  const rows: z.output<T>[] = [];
  const decoder = new TextDecoder();
  let rest = '';
  const start = Math.max(0, size - most);
  for await (const bytes of files.bytes(place, file, start, size)) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) takeRow(schema, rows, line);
  }
  takeRow(schema, rows, rest);
  return rows;
}

/** Those after the last one that `isOld`: each is there once and in order, so what is new is at the end. */
export async function newestRows<T extends z.ZodType>(
  { files, place, file, size, schema, most = size }: RowsFile<T>,
  isOld: (row: z.output<T>) => boolean,
): Promise<z.output<T>[]> {
  let tail = Buffer.alloc(0);
  const first = Math.max(0, size - most);
  for (let start = size; start > first; ) {
    const from = Math.max(first, start - largestPart);
    tail = Buffer.concat([await files.part(place, file, from, start - from), tail]);
    start = from;
    const rows: z.output<T>[] = [];
    const lines = tail.toString('utf8').split('\n');
    // The first line is whole only at the beginning of the file.
    for (const line of start === 0 ? lines : lines.slice(1)) takeRow(schema, rows, line);
    if (start === first || (rows[0] !== undefined && isOld(rows[0]))) return rows.filter((row) => !isOld(row));
  }
  return [];
}

/** A row that is being written, the end of one that begins before what was read, or one that an older version wrote is passed over. */
export function takeRow<T extends z.ZodType>(schema: T, rows: z.output<T>[], line: string): void {
  if (!line.startsWith('{')) return;
  try {
    const row = schema.safeParse(JSON.parse(line));
    if (row.success) rows.push(row.data);
  } catch {
    return;
  }
}

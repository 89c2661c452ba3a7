/** A trainer's own pages of one run: the layout and the rows, from the run folder or the store. */
import type { FilesPlace, RunFiles } from '../client/run-files.ts';
import { type RunPages, runPagesSchema } from '../contracts/http-pages.ts';
import { largestLayout, layoutFile, pageRowsFile } from '../contracts/ui.ts';
import { keyOfPageRow, mostPageRowsBytes, type PageRow, pageRowSchema } from '../contracts/ui-values.ts';
import { allRows } from './rows-of-runs.ts';

/** Rows that are answered: the SDK keeps a hundred per widget. */
const mostRows = 10_000;

/** Null when there is no layout. */
export async function runPages(files: RunFiles, place: FilesPlace): Promise<RunPages | null> {
  const size = await files.size(place, layoutFile);
  if (size === null) return null;
  const rowsSize = await files.size(place, pageRowsFile);
  const rows =
    rowsSize === null ? [] : await allRows({ files, place, file: pageRowsFile, size: rowsSize, ...rowsFile });
  return { source: place.source, layout: await layoutOf(files, place, size), rows: pageRowsOf(rows) };
}

const rowsFile = { schema: pageRowSchema, most: mostPageRowsBytes };

/** A trainer without pages, or of old. */
export const noPages = ({ source }: Pick<FilesPlace, 'source'>): RunPages => ({ source, layout: null, rows: [] });

async function layoutOf(files: RunFiles, place: FilesPlace, size: number): Promise<RunPages['layout']> {
  if (size > largestLayout) return null;
  const parts: Uint8Array[] = [];
  for await (const bytes of files.bytes(place, layoutFile, 0, size)) parts.push(bytes);
  try {
    return runPagesSchema.shape.layout.parse(JSON.parse(Buffer.concat(parts).toString('utf8')));
  } catch {
    // Something else has written there, or what is nested too deeply for an answer.
    return null;
  }
}

/** Of two with one key the later one: it was shown again. */
export function pageRowsOf(rows: readonly PageRow[]): PageRow[] {
  const latest = new Map<string, PageRow>();
  for (const row of rows) {
    latest.delete(keyOfPageRow(row));
    latest.set(keyOfPageRow(row), row);
  }
  return [...latest.values()].slice(-mostRows);
}

/** A trainer's own pages of one run: the layout and the rows, from the run folder or the store. */
import { createHash } from 'node:crypto';
import type { FilesPlace, RunFiles } from '../client/run-files.ts';
import { type RunPages, runPagesSchema } from '../contracts/http-pages.ts';
import { largestLayout, layoutFile, pageRowsFile } from '../contracts/ui.ts';
import { latestPageRows, mostPageRowsBytes, type PageRow, pageRowSchema } from '../contracts/ui-values.ts';
import { takeRow } from './rows-of-runs.ts';

/** Null when there is no layout. With `after`, what came since. */
export async function runPages(files: RunFiles, place: FilesPlace, after?: string): Promise<RunPages | null> {
  const layoutSize = await files.size(place, layoutFile);
  if (layoutSize === null) return null;
  const described = await layoutBytes(files, place, layoutSize);
  const layout = described ? digest(described) : none;
  const size = (await files.size(place, pageRowsFile)) ?? 0;
  const before = after === undefined ? null : readCursor(after);
  const more = before && (await rowsAfter(files, place, before, size));
  const { rows, end } = more ?? (await rowsUpTo(files, place, size));
  return {
    source: place.source,
    ...(before?.layout === layout ? {} : { layout: described && layoutIn(described) }),
    rows: latestPageRows(rows),
    isWhole: more === null,
    next: cursorText({ layout, ...end }),
  };
}

/** A trainer without pages, or of old. */
export const noPages = ({ source }: Pick<FilesPlace, 'source'>): RunPages => ({
  source,
  layout: null,
  rows: [],
  isWhole: true,
  next: cursorText({ layout: none, ...nothingRead }),
});

// Where somebody is

/**
 * The SDK appends rows, and now and then writes the file again without those that no longer count. So the last line that was read, found again where
 * it was, says that what follows is all that is new; of a file that was written again everything is told.
 */
interface LastLine {
  /** Of the byte after it. */
  offset: number;
  /** With its line break. */
  length: number;
  /** Its digest. */
  line: string;
}

interface Cursor extends LastLine {
  /** The layout's digest. */
  layout: string;
}

const none = '0';
/** After which everything is told. */
const nothingRead: LastLine = { offset: 0, length: 0, line: none };

const cursorText = ({ layout, offset, length, line }: Cursor): string =>
  [layout, offset.toString(16), length.toString(16), line].join('-');

/** Null for what was not told here. */
function readCursor(text: string): Cursor | null {
  const [, layout, offset, length, line] =
    /^([0-9a-f]{1,32})-([0-9a-f]{1,10})-([0-9a-f]{1,10})-([0-9a-f]{1,32})$/.exec(text) ?? [];
  if (!layout || !offset || !length || !line) return null;
  const read = { layout, offset: Number.parseInt(offset, 16), length: Number.parseInt(length, 16), line };
  return read.length <= Math.min(read.offset, longestLine) ? read : null;
}

/** A row has 2 KB of values at most, and the names of its files. */
const longestLine = 1 << 20;

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 32);

// Rows

interface Read {
  rows: PageRow[];
  end: LastLine;
}

/** Null where the file was written again, or so much has come that reading all of it is no more. */
async function rowsAfter(files: RunFiles, place: FilesPlace, before: LastLine, size: number): Promise<Read | null> {
  const start = before.offset - before.length;
  if (before.length === 0 || size < before.offset || size - start > mostPageRowsBytes) return null;
  return read(files.bytes(place, pageRowsFile, start, size), start, before);
}

async function rowsUpTo(files: RunFiles, place: FilesPlace, size: number): Promise<Read> {
  const start = Math.max(0, size - mostPageRowsBytes);
  const found = await read(files.bytes(place, pageRowsFile, start, size), start, null);
  return found ?? { rows: [], end: nothingRead };
}

/** Whole lines of `parts`, the first of which is at `start`; null where that is not the line that was read `before`. */
async function read(parts: AsyncIterable<Uint8Array>, start: number, before: LastLine | null): Promise<Read | null> {
  const rows: PageRow[] = [];
  let [rest, end, isChecked] = [Buffer.alloc(0), before ?? nothingRead, before === null];
  let at = start;
  for await (const part of parts) {
    rest = Buffer.concat([rest, part]);
    if (before && !isChecked) {
      if (rest.length < before.length) continue;
      if (digest(rest.subarray(0, before.length)) !== before.line) return null;
      [rest, at, isChecked] = [rest.subarray(before.length), before.offset, true];
    }
    const length = rest.lastIndexOf(lineBreak) + 1;
    if (length === 0) continue;
    const lines = rest.subarray(0, length);
    for (const line of lines.toString('utf8').split('\n')) takeRow(pageRowSchema, rows, line);
    const last = lines.subarray(lines.subarray(0, -1).lastIndexOf(lineBreak) + 1);
    at += length;
    end = last.length <= longestLine ? { offset: at, length: last.length, line: digest(last) } : nothingRead;
    rest = rest.subarray(length);
  }
  return isChecked ? { rows, end } : null;
}

const lineBreak = 0x0a;

// The layout

async function layoutBytes(files: RunFiles, place: FilesPlace, size: number): Promise<Buffer | null> {
  if (size > largestLayout) return null;
  const parts: Uint8Array[] = [];
  for await (const bytes of files.bytes(place, layoutFile, 0, size)) parts.push(bytes);
  return Buffer.concat(parts);
}

function layoutIn(bytes: Buffer): RunPages['layout'] {
  try {
    return runPagesSchema.shape.layout.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    // Something else has written there, or what is nested too deeply for an answer.
    return null;
  }
}

/** Lines of a log that may be large and may still grow, read part by part. Offsets are bytes. */
import { type LogLines, largestPart } from '../contracts/run-files.ts';
import type { RunFiles } from './run-files.ts';

/** A progress bar may fill a log with one line: what is longer is cut where it is shown. */
const longestLine = 4_000;
/** How much one answer may look through: a rare word in a large log is searched over several requests. */
const mostSearched = 32 * 1024 * 1024;
/** Answers stay small whatever the lines. */
const largestAnswer = 400_000;

const newline = 0x0a;

export interface LogQuestion {
  /** Null: the last lines. */
  offset: number | null;
  lines: number;
  /** Leaves only lines that contain it, whatever the case. */
  search: string | null;
  /** Nothing more is written: a last line without its end is told, too. */
  complete: boolean;
}

/** Null when there is no such file. */
export async function readLog(
  files: RunFiles,
  path: string,
  question: LogQuestion,
  signal: AbortSignal,
): Promise<LogLines | null> {
  const first = await files.readPart(path, 0, 1);
  if (!first) return null;
  if (question.offset !== null) return forward(files, path, question.offset, question, signal);
  // From the end back: twice as much each time, until there are enough lines.
  for (let span = largestPart; ; span *= 2) {
    const offset = Math.max(0, first.size - span);
    const found = await forward(
      files,
      path,
      offset,
      { ...question, lines: Number.MAX_SAFE_INTEGER },
      signal,
      offset > 0,
    );
    if (found && (offset === 0 || found.lines.length >= question.lines || span >= mostSearched)) {
      return { ...found, lines: found.lines.slice(-question.lines) };
    }
    if (!found) return null;
  }
}

async function forward(
  files: RunFiles,
  path: string,
  from: number,
  { lines: most, search, complete }: Omit<LogQuestion, 'offset'>,
  signal: AbortSignal,
  skipsFirst = false,
): Promise<LogLines | null> {
  const wanted = search?.toLowerCase() || null;
  const lines: LogLines['lines'] = [];
  let start = from;
  let rest: Uint8Array = new Uint8Array();
  let skips = skipsFirst;
  let told = 0;
  for (let read = from; ; ) {
    signal.throwIfAborted();
    const part = await files.readPart(path, read, largestPart);
    if (!part) return null;
    const atEnd = part.bytes.length === 0;
    if (atEnd && complete && rest.length > 0) {
      const text = shown(rest);
      if (!skips && (wanted === null || text.toLowerCase().includes(wanted))) lines.push({ offset: start, text });
      start += rest.length;
    }
    if (atEnd || read - from >= mostSearched) return { size: part.size, lines, next: Math.min(start, part.size) };
    read += part.bytes.length;
    const bytes = rest.length === 0 ? part.bytes : Buffer.concat([rest, part.bytes]);
    let begin = 0;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, begin)) {
      const text = shown(bytes.subarray(begin, end));
      if (!skips && (wanted === null || text.toLowerCase().includes(wanted))) {
        lines.push({ offset: start, text });
        told += text.length;
      }
      skips = false;
      start += end + 1 - begin;
      begin = end + 1;
      if (lines.length >= most || (told > largestAnswer && most !== Number.MAX_SAFE_INTEGER)) {
        return { size: part.size, lines, next: start };
      }
    }
    rest = bytes.subarray(begin);
    if (rest.length > largestPart) {
      // A line without an end: told in pieces, so that it is never held whole.
      lines.push({ offset: start, text: shown(rest) });
      start += rest.length;
      rest = new Uint8Array();
      skips = true;
    }
  }
}

const decoder = new TextDecoder();

/** What a terminal would show of it: of a line that was written over with `\r`, its last state; no control characters. */
function shown(bytes: Uint8Array): string {
  const text = decoder
    .decode(bytes.length > longestLine * 4 ? bytes.subarray(-longestLine * 4) : bytes)
    .replace(/\r+$/, '');
  const last = text.slice(text.lastIndexOf('\r') + 1);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the point
  const plain = last.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '').replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '');
  return plain.length > longestLine ? `${plain.slice(0, longestLine - 1)}…` : plain;
}

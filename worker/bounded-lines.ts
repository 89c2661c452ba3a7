/** Lines of a stream, none of them held for longer than a bound: what never ends must not fill the memory. */
import type { Readable } from 'node:stream';

export interface LineListener {
  /** Without its end. */
  onLine: (line: string) => void;
  /** A line is longer than the bound: its beginning. All that follows is read and dropped, so that nobody waits for us. */
  onTooLong: (beginning: string) => void;
  /** A stream may be cut off within a line, which is none then. Left out: what has no end is the last line. */
  wholeOnly?: boolean;
  /** Lines keep the carriage return that they end with. */
  keepsReturns?: boolean;
}

const newline = 0x0a;

/** Resolves, and never rejects, when the stream has ended. `longest` is in bytes. */
export function readLines(
  stream: Readable,
  longest: number,
  { onLine, onTooLong, wholeOnly = false, keepsReturns = false }: LineListener,
): Promise<void> {
  let parts: Buffer[] = [];
  let held = 0;
  let isTooLong = false;
  const take = (): string => {
    const line = Buffer.concat(parts).toString('utf8');
    parts = [];
    held = 0;
    return line;
  };
  stream.on('data', (chunk: Buffer) => {
    if (isTooLong) return;
    let begin = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, begin)) {
      parts.push(chunk.subarray(begin, end));
      begin = end + 1;
      onLine(keepsReturns ? take() : take().replace(/\r$/, ''));
    }
    if (begin === chunk.length) return;
    parts.push(chunk.subarray(begin));
    held += chunk.length - begin;
    if (held <= longest) return;
    isTooLong = true;
    onTooLong(take());
  });
  return new Promise((resolve) => {
    // The last line may have no end.
    stream.once('end', () => {
      if (held > 0 && !wholeOnly) onLine(take());
    });
    stream.once('error', () => resolve());
    stream.once('close', () => resolve());
  });
}

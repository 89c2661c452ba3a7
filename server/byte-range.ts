/** The `Range` header of a request for a file (RFC 9110, one range). */

export interface ByteRange {
  /** First byte. */
  start: number;
  /** Byte after the last. */
  end: number;
}

/** Null: the whole file, as for a header that is none of bytes. `unsatisfiable`: nothing of it is in the file. */
export function byteRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return null;
  const [first, last] = [match[1] ?? '', match[2] ?? ''];
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size };
  }
  const start = Number(first);
  const end = last === '' ? size : Math.min(Number(last) + 1, size);
  if (start >= size) return 'unsatisfiable';
  // Ends before it starts: no valid range, so it is passed over.
  return start < end ? { start, end } : null;
}

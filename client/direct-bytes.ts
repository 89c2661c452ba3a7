/** Bytes of a stored file from the store's own server, where it gives a link, and from a worker otherwise. */
import type { FilesPlace, RunFiles } from './run-files.ts';

/** A smaller file is here before the question for its link is answered. */
export const worthLink = 1 << 20;
/** A connection on which nothing comes for so long is given up. */
const idleMs = 30_000;

type Files = Pick<RunFiles, 'link' | 'bytesWherever'>;

/** As `bytesWherever`, whose errors it throws. What breaks off is read on from there: with another link while that gets on, else through a worker. */
export async function* nearestBytes(
  files: Files,
  places: readonly FilesPlace[],
  path: string,
  { start, end, size }: { start: number; end: number; size: number },
): AsyncGenerator<Uint8Array> {
  let next = start;
  const [first] = places;
  for (let moved = true; first && moved && end - next >= worthLink; ) {
    const address = await files.link(first, path);
    if (address === null) break;
    const before = next;
    for await (const bytes of downloaded(address, next, end, size)) {
      next += bytes.length;
      yield bytes;
    }
    moved = next - before >= worthLink;
  }
  if (next < end) yield* files.bytesWherever(places, path, { start: next, end, size });
}

/** As far as it goes: whatever goes wrong ends it. An error would have the address in it, which is a credential. */
async function* downloaded(address: string, start: number, end: number, size: number): AsyncGenerator<Uint8Array> {
  const silence = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), idleMs);
  };
  let at = start;
  try {
    heard();
    const answer = await fetch(address, {
      headers: { range: `bytes=${start}-${end - 1}` },
      redirect: 'error',
      signal: silence.signal,
    });
    // Of another version, or from a server that knows no ranges, they would be other bytes.
    if (answer.status !== 206 || answer.headers.get('content-range') !== `bytes ${start}-${end - 1}/${size}`) return;
    for await (const bytes of answer.body ?? []) {
      heard();
      at += bytes.length;
      if (at > end) return;
      yield bytes;
    }
  } catch {
    return;
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}

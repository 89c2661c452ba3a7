/** One browser's event stream. A slow one is told less: what waits for it is replaced by what is newer, never queued. */
import type { FastifyReply } from 'fastify';
import type { LiveMessage } from '../contracts/http-answers.ts';
import type { RunWatches } from './run-watches.ts';

const keepAliveMs = 15_000;
/** Whoever takes nothing for so long is gone, or may come again. */
const stuckMs = 60_000;

/**
 * Resolves when the stream is open. Throws RunNotFoundError while it still can be answered as such. It ends soon after whoever
 * listens `isGranted` no more.
 */
export async function streamRun(
  watches: Pick<RunWatches, 'listen'>,
  run: string,
  reply: Pick<FastifyReply, 'raw' | 'hijack' | 'getHeaders'>,
  isGranted: () => Promise<boolean>,
): Promise<void> {
  const { raw } = reply;
  const waiting = new Map<LiveMessage['kind'], string>();
  const held: string[] = [];
  let isOpen = false;
  let isOver = false;
  let stuckSince: number | null = null;

  const write = (text: string) => {
    if (!raw.write(text)) stuckSince ??= performance.now();
  };
  const finish = () => {
    if (isOver && isOpen && waiting.size === 0 && !raw.writableEnded) raw.end();
  };
  const stop = await watches.listen(run, (message, text) => {
    if (message.kind === 'receipt') isOver = true;
    if (!isOpen) held.push(text);
    else if (stuckSince === null) write(text);
    else {
      // Details tell the progress, too.
      if (message.kind === 'details') waiting.delete('progress');
      waiting.delete(message.kind);
      waiting.set(message.kind, text);
    }
    finish();
  });

  reply.hijack();
  raw.writeHead(200, {
    ...headersOf(reply),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store, no-transform',
    // nginx would hold events back.
    'x-accel-buffering': 'no',
  });
  raw.on('drain', () => {
    stuckSince = null;
    for (const [kind, text] of [...waiting]) {
      if (stuckSince !== null) break;
      waiting.delete(kind);
      write(text);
    }
    finish();
  });
  const beat = setInterval(() => {
    if (stuckSince === null) write(': still here\n\n');
    else if (performance.now() - stuckSince > stuckMs) raw.destroy();
    // A login session may have ended meanwhile. While others guess tokens nothing is answered, and nothing has changed.
    void isGranted().then(
      (granted) => granted || raw.destroy(),
      () => undefined,
    );
  }, keepAliveMs).unref();
  raw.on('close', () => {
    clearInterval(beat);
    stop();
  });
  raw.on('error', () => raw.destroy());
  isOpen = true;
  if (raw.destroyed) {
    clearInterval(beat);
    stop();
    return;
  }
  write(held.join(''));
  finish();
}

/** What plugins have set on the reply: the security headers go with a stream, too. */
function headersOf(reply: Pick<FastifyReply, 'getHeaders'>): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(reply.getHeaders()).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, Array.isArray(value) ? value : String(value)]],
    ),
  );
}

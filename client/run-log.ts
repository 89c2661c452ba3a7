/** The trainer's log of a run, line by line, wherever it is: on a host while the run trains, in the store afterwards. */
import { setTimeout as delay } from 'node:timers/promises';
import { type LogLines, mostLogLines } from '../contracts/run-files.ts';
import { FileNotFoundError } from './errors.ts';
import { firstThatHas, type RunPlaces } from './run-places.ts';
import { isPassing } from './run-result.ts';
import type { TrainingClient } from './training-client.ts';

export interface LogOptions {
  /** The last lines only, at most `mostLogLines`; left out, all of them. */
  lines?: number | undefined;
  /** Wait for more until the run is over. */
  follow?: boolean | undefined;
  /** Ends the following; the iteration then just ends. */
  signal?: AbortSignal | undefined;
  intervalMs?: number | undefined;
}

export type LogItem =
  | { kind: 'line'; text: string }
  /** While following: the server or the workers do not answer; `recovered` says that they do again. */
  | { kind: 'trouble'; message: string }
  | { kind: 'recovered' };

type Source = Pick<TrainingClient, 'places' | 'files'>;

/** Throws FileNotFoundError where there is no log and, unless it is followed, what keeps it from being read. */
export async function* runLog(client: Source, run: string, options: LogOptions = {}): AsyncGenerator<LogItem> {
  const { lines = mostLogLines, follow = false, signal, intervalMs = 1_000 } = options;
  let offset: number | null = options.lines === undefined ? 0 : null;
  let places: RunPlaces | null = null;
  let trouble: string | null = null;
  while (!signal?.aborted) {
    try {
      places ??= await client.places(run);
      const found = await readLog(client, run, places, { offset, lines, follow });
      if (trouble !== null) yield { kind: 'recovered' };
      trouble = null;
      for (const { text } of found?.lines ?? []) yield { kind: 'line', text };
      // Another host has a log of its own.
      const isAnother = found !== null && offset !== null && found.size < offset;
      const isAtEnd = found === null || found.next === offset || found.lines.length === 0;
      offset = isAnother ? 0 : (found?.next ?? offset);
      if (isAnother || !isAtEnd) continue;
      if (!follow || places.isOver) return;
    } catch (error) {
      if (signal?.aborted) return;
      if (!follow || !isPassing(error)) throw error;
      const { message } = error as Error;
      if (message !== trouble) yield { kind: 'trouble', message };
      trouble = message;
    }
    places = null;
    await delay(intervalMs, undefined, signal ? { signal } : {}).catch(() => undefined);
  }
}

/** Null while there is none yet: before its first session a run has no log. */
async function readLog(
  client: Source,
  run: string,
  places: RunPlaces,
  { offset, lines, follow }: { offset: number | null; lines: number; follow: boolean },
): Promise<LogLines | null> {
  const question = { offset, lines, search: null, complete: places.isOver };
  try {
    return (await firstThatHas(places, `a log of run ${run}`, (at) => client.files.log(at, question))).found;
  } catch (error) {
    if (error instanceof FileNotFoundError && follow && !places.isOver) return null;
    throw error;
  }
}

/** Watches a run until its end: what it says of itself, what it does right now, and what came of it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Progress, WorkProgress } from '../contracts/progress.ts';
import type { Receipt } from '../contracts/receipt.ts';
import type { RunEvent, RunView } from '../contracts/run-messages.ts';
import type { Calls } from './calls.ts';
import { ConfigError, type EpochalError, NoReceiptError } from './errors.ts';
import { type LiveProgress, liveProgress } from './live-progress.ts';
import { ProgressLease } from './progress-lease.ts';
import { isPassing } from './run-result.ts';

export type WatchItem =
  /** The run changed: its state, position, metrics, checkpoints or configuration. The first item, too. */
  | { kind: 'view'; view: RunView }
  /** A line of the run's story, each once. */
  | { kind: 'event'; event: RunEvent }
  | { kind: 'progress'; progress: Progress }
  | { kind: 'work'; activity: string; work: WorkProgress }
  /** The server or the workers do not answer; the watch goes on, and says `recovered` when they do again. */
  | { kind: 'trouble'; message: string }
  | { kind: 'recovered' }
  /** The run is over; the last item. `problem` says why there is no receipt. */
  | { kind: 'end'; receipt: Receipt; problem: null }
  | { kind: 'end'; receipt: null; problem: NoReceiptError | ConfigError };

export interface WatchOptions {
  /** Ends the watch, not the run: the iteration then just ends. */
  signal?: AbortSignal | undefined;
  /** How often to look, in milliseconds. */
  intervalMs?: number | undefined;
}

interface Sources {
  view(run: string): Promise<RunView>;
  result(run: string, options: { signal?: AbortSignal | undefined }): Promise<Receipt>;
  /** As `ProgressLease` asks. */
  lease(host: string, run: string): Promise<number>;
}

const defaultIntervalMs = 500;
const longestPauseMs = 5_000;

/** Throws RunNotFoundError, and errors that no waiting mends. */
export async function* watchRun(
  calls: Calls,
  run: string,
  sources: Sources,
  options: WatchOptions = {},
): AsyncGenerator<WatchItem> {
  const { signal, intervalMs = defaultIntervalMs } = options;
  const changes = new Changes();
  // Whoever no longer watches waits for no answer of a host.
  const whileWatched = <T>(ask: () => Promise<T>) => (signal ? calls.client.withAbortSignal(signal, ask) : ask());
  const lease = new ProgressLease((host) => whileWatched(() => sources.lease(host, run)));
  let trouble: string | null = null;
  let pauseMs = intervalMs;
  while (!signal?.aborted) {
    try {
      const description = await calls.within(5, run, () => calls.client.workflow.getHandle(run).describe());
      // Every change of a run is in its history: asking a worker is needed only when that has grown.
      const point = `${description.runId} ${description.historyLength}`;
      if (changes.isNew(point)) {
        yield* changes.ofView(await sources.view(run));
        changes.seen(point);
      }
      const live = await liveProgress(calls.client, description);
      lease.keep(description, live);
      yield* changes.ofProgress(live);
      if (description.status.name !== 'RUNNING') {
        yield await endOf(run, sources, signal);
        return;
      }
      if (trouble !== null) yield { kind: 'recovered' };
      trouble = null;
      pauseMs = intervalMs;
    } catch (error) {
      if (signal?.aborted) return;
      if (!isPassing(error)) throw error;
      const message = (error as EpochalError).message;
      if (message !== trouble) yield { kind: 'trouble', message };
      trouble = message;
      pauseMs = Math.min(pauseMs * 1.5, longestPauseMs);
    }
    await delay(pauseMs, undefined, signal ? { signal } : {}).catch(() => undefined);
  }
}

async function endOf(run: string, sources: Sources, signal: AbortSignal | undefined): Promise<WatchItem> {
  try {
    return { kind: 'end', receipt: await sources.result(run, { signal }), problem: null };
  } catch (error) {
    if (error instanceof NoReceiptError || error instanceof ConfigError)
      return { kind: 'end', receipt: null, problem: error };
    throw error;
  }
}

/** Lets through what was not told yet. */
class Changes {
  #point: string | null = null;
  #view = '';
  #lastEvent: string | null = null;
  #toldAtThatTime = new Set<string>();
  #progress = new Map<string, string>();

  isNew(point: string): boolean {
    return point !== this.#point;
  }

  seen(point: string): void {
    this.#point = point;
  }

  *ofView(view: RunView): Generator<WatchItem> {
    // Seconds in a state grow by themselves.
    const { stateSeconds: _, events, ...rest } = view;
    const text = JSON.stringify(rest);
    if (text !== this.#view) {
      this.#view = text;
      yield { kind: 'view', view };
    }
    for (const event of events) if (this.#isNewEvent(event)) yield { kind: 'event', event };
  }

  /** The run keeps the newest events only, so they are told apart by their time and text. */
  #isNewEvent({ at, message }: RunEvent): boolean {
    if (this.#lastEvent !== null && at < this.#lastEvent) return false;
    if (at !== this.#lastEvent) {
      this.#lastEvent = at;
      this.#toldAtThatTime = new Set();
    }
    if (this.#toldAtThatTime.has(message)) return false;
    this.#toldAtThatTime.add(message);
    return true;
  }

  *ofProgress(live: LiveProgress[]): Generator<WatchItem> {
    const current = new Map<string, string>();
    for (const item of live) {
      const key = item.kind === 'progress' ? 'epoch' : item.activity;
      const text = JSON.stringify(item);
      current.set(key, text);
      if (this.#progress.get(key) !== text) yield item;
    }
    this.#progress = current;
  }
}

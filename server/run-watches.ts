/** One watch of a run for however many browsers look at it: it begins with the first and ends after the last. */
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import { RunNotFoundError } from '../client/errors.ts';
import { shownProgress } from '../client/run-pages.ts';
import type { WatchItem } from '../client/watch.ts';
import type { LiveMessage, LiveProgress, RunDetails } from '../contracts/http-answers.ts';
import { runDetails } from './run-details.ts';
import type { TemporalLink } from './temporal-link.ts';

/** `text` is the message as an event of the stream, made once for all. */
export type Listener = (message: LiveMessage, text: string) => void;

/** A page that is loaded anew finds its watch still going. */
const lingerMs = 3_000;
const intervalMs = 300;
const retryMs = 1_000;
/** Progress has messages of its own; seconds grow with the reader's clock. */
const changesByItself: ReadonlySet<string> = new Set(['progress', 'stateSeconds']);

export class RunWatches {
  readonly #watches = new Map<string, RunWatch>();

  constructor(
    readonly link: TemporalLink,
    readonly log: FastifyBaseLogger,
  ) {}

  /** Runs that are watched now. */
  get size(): number {
    return this.#watches.size;
  }

  /**
   * Tells everything that there is to tell now, and then what changes. Throws RunNotFoundError. The answer ends it.
   */
  async listen(run: string, listener: Listener): Promise<() => void> {
    let watch = this.#watches.get(run);
    if (!watch) {
      watch = new RunWatch(this.link, run, this.log.child({ run }), () => {
        if (this.#watches.get(run) === watch) this.#watches.delete(run);
      });
      this.#watches.set(run, watch);
    }
    return watch.listen(listener);
  }

  close(): void {
    for (const watch of this.#watches.values()) watch.end();
  }
}

class RunWatch {
  readonly #listeners = new Set<Listener>();
  readonly #abort = new AbortController();
  readonly #begun: Promise<void>;
  #details: RunDetails | null = null;
  #progress = new Map<string, LiveProgress>();
  #trouble: string | null = null;
  #told = '';
  #end: LiveMessage | null = null;
  #lingering: NodeJS.Timeout | null = null;

  constructor(
    readonly link: TemporalLink,
    readonly run: string,
    readonly log: FastifyBaseLogger,
    readonly onEnd: () => void,
  ) {
    this.#begun = new Promise((resolve, reject) => {
      void this.#watch(resolve).then(
        () => resolve(),
        (error: unknown) => {
          this.end();
          reject(error);
        },
      );
    });
    this.#begun.catch(() => undefined);
  }

  async listen(listener: Listener): Promise<() => void> {
    await this.#begun;
    for (const message of this.#present()) listener(message, eventText(message));
    if (this.#end) return () => undefined;
    this.#listeners.add(listener);
    if (this.#lingering) clearTimeout(this.#lingering);
    this.#lingering = null;
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#lingering ??= setTimeout(() => this.end(), lingerMs).unref();
    };
  }

  end(): void {
    this.#abort.abort();
    if (this.#lingering) clearTimeout(this.#lingering);
    this.onEnd();
  }

  *#present(): Generator<LiveMessage> {
    if (this.#details) yield { kind: 'details', details: this.#details };
    if (this.#trouble !== null) yield { kind: 'trouble', trouble: this.#trouble };
    if (this.#end) yield this.#end;
  }

  /** Until the run is over or nobody listens. `begun` is called as soon as there is something to tell. */
  async #watch(begun: () => void): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted && !this.#end) {
      try {
        const backend = await this.link.backend();
        // Says that there is no such run before anything else; without a worker it is all that can be said.
        if (!this.#details) this.#tellDetails(await runDetails(backend, this.run));
        begun();
        for await (const item of backend.training.watch(this.run, { signal, intervalMs })) await this.#take(item);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof RunNotFoundError) throw error;
        this.log.debug({ err: error }, 'the watch is restarted');
        this.#tellTrouble(error instanceof Error ? error.message : String(error));
        begun();
      }
      if (!this.#end) await delay(retryMs, undefined, { signal }).catch(() => undefined);
    }
    this.end();
  }

  async #take(item: WatchItem): Promise<void> {
    switch (item.kind) {
      case 'view': {
        const before = this.#details?.view?.detail;
        // What was done in the state before is over.
        if (before !== item.view.detail) this.#progress.clear();
        this.#tellDetails(await runDetails(await this.link.backend(), this.run, item.view));
        this.#tellTrouble(null);
        return;
      }
      case 'event':
        // Events are part of the view, which is told with them.
        return;
      case 'progress':
      case 'work':
        this.#progress.set(item.kind === 'work' ? item.activity : '', shownProgress(item));
        this.#tell({ kind: 'progress', progress: [...this.#progress.values()] });
        return;
      case 'trouble':
        this.#tellTrouble(item.message);
        return;
      case 'recovered':
        this.#tellTrouble(null);
        return;
      case 'end': {
        // Of one that was ended by force its salvage may have told the rest meanwhile.
        const known = this.#details?.view;
        const details = await runDetails(await this.link.backend(), this.run, known?.receipt ? known : undefined);
        this.#tellDetails({
          ...details,
          view: details.view ?? known ?? null,
          progress: [],
          trouble: item.problem?.message ?? details.trouble,
        });
        this.#end = { kind: 'receipt', receipt: item.receipt };
        this.#tell(this.#end);
        return;
      }
    }
  }

  #tellDetails(details: RunDetails): void {
    this.#details = details;
    this.#progress = new Map(details.progress.map((live) => [live.kind === 'work' ? live.activity : '', live]));
    const text = JSON.stringify(details, (key, value: unknown) => (changesByItself.has(key) ? undefined : value));
    if (text === this.#told) return;
    this.#told = text;
    this.#tell({ kind: 'details', details });
  }

  #tellTrouble(trouble: string | null): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#tell({ kind: 'trouble', trouble });
  }

  #tell(message: LiveMessage): void {
    // Whoever comes next is told the newest progress with the details.
    if (message.kind === 'progress' && this.#details) this.#details = { ...this.#details, progress: message.progress };
    if (this.#listeners.size === 0) return;
    const text = eventText(message);
    for (const listener of [...this.#listeners]) listener(message, text);
  }
}

const eventText = (message: LiveMessage): string => `event: ${message.kind}\ndata: ${JSON.stringify(message)}\n\n`;

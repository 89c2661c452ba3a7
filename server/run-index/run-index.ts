/**
 * The server's own index of runs: what Temporal lists of them, and what they say of themselves. Made when somebody first
 * searches or sorts, kept up to date while somebody does, and made anew by every server that starts: nothing is lost with it.
 */
import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { NoWorkerError } from '../../client/errors.ts';
import { type PageFilter, pageOfRuns } from '../../client/run-pages.ts';
import { isOpen, type RunSummary } from '../../contracts/run-summary.ts';
import type { Backend } from '../temporal-link.ts';
import type { IndexDatabase, IndexQuestion, RowValues } from './index-database.ts';
import { detailsOf, type RunDetails, versionOf } from './indexed-run.ts';
import { type Known, KnownDetails } from './known-details.ts';

/** The newest runs, where Temporal lists more. What they tell has a bound of its own in the index. */
const mostRuns = 50_000;
const pageSize = 1_000;
const takenAtOnce = 100;
/** A look at what changed counts for those who ask within this. */
const freshMs = 1_000;
/** All runs are listed again after this, for those that the server has forgotten. */
const tenMinutes = 10 * 60_000;
/** Clocks differ, and visibility is a moment behind. */
const overlapMs = 2 * 60_000;
/** Who asks waits this long for a look at what changed, and is then told what is known. */
const patienceMs = 2_000;
/** A run that trains is asked again after this. */
const openMs = 15_000;
/** One that could not be asked, after this, and then after twice as long each time. */
const silentMs = 60_000;
const longestSilenceMs = tenMinutes;
const askedAtOnce = 4;
/** So many in a row whom nobody answered for: nobody is there to answer. One alone may be of a service that is no more. */
const silentInARow = 8;

interface Row {
  summary: RunSummary;
  /** The summary as text, so that what did not change is not written again. */
  text: string;
  /** Of what it told, which the index has; null: nothing. */
  version: string | null;
  /** When it is to be asked next, by `performance.now()`. */
  askAt: number;
  /** How long it is left in peace once it could not be asked. */
  silenceMs: number;
}

export interface IndexAnswer {
  runs: RunSummary[];
  total: number;
  /** Runs whose parameters and metrics are not known yet. */
  pending: number;
  /** All runs are in the index, with all that they have told. */
  all: boolean;
}

export class RunIndex {
  #database: IndexDatabase | null = null;
  readonly #rows = new Map<string, Row>();
  readonly #remembered: KnownDetails;
  #fromBefore: Map<string, Known> | null = null;
  #look: { began: number; done: Promise<void> } | null = null;
  #listedAllAt = Number.NEGATIVE_INFINITY;
  #changedSince = 0;
  #isCut = false;
  #asking: Promise<void> | null = null;
  #lastWanted = 0;
  #closed = false;

  /** `file`: where what is known of runs that are over is remembered. */
  constructor(
    file: string,
    private readonly listAllMs = tenMinutes,
  ) {
    this.#remembered = new KnownDetails(file);
  }

  /** Throws ConfigError for a field that no run has. */
  async page(backend: Backend, question: IndexQuestion): Promise<IndexAnswer> {
    const database = await this.#current(backend);
    const pending = this.#pending();
    return {
      ...database.page(question, pending === 0 && !database.isCut),
      pending,
      all: !this.#isCut && !database.isCut,
    };
  }

  async values(backend: Backend, runs: readonly string[], fields: readonly string[]): Promise<Map<string, RowValues>> {
    return (await this.#current(backend)).values(runs, fields);
  }

  async fields(backend: Backend, most: number): Promise<{ field: string; runs: number }[]> {
    return (await this.#current(backend)).fields(most);
  }

  /** What is under way is ignored when it is there. */
  close(): void {
    this.#closed = true;
    this.#database?.close();
    this.#database = null;
  }

  async #current(backend: Backend): Promise<IndexDatabase> {
    this.#lastWanted = performance.now();
    if (this.#look === null || performance.now() - this.#look.began > freshMs) {
      const before = this.#look?.done ?? Promise.resolve();
      const look = { began: performance.now(), done: before.catch(() => undefined).then(() => this.#update(backend)) };
      this.#look = look;
      // Whoever waits is told, and the next one looks anew.
      look.done.catch(() => {
        if (this.#look === look) this.#look = null;
      });
    }
    const { done } = this.#look;
    // The first look has to be complete: an index of some runs would say that others do not match.
    if (this.#listedAllAt === Number.NEGATIVE_INFINITY) await done;
    else await Promise.race([done, delay(patienceMs, undefined, { ref: false })]);
    if (this.#database === null) throw new Error('the index was closed');
    return this.#database;
  }

  #pending = (): number => {
    let count = 0;
    for (const { version } of this.#rows.values()) if (version === null) count++;
    return count;
  };

  async #update(backend: Backend): Promise<void> {
    if (this.#closed) return;
    this.#fromBefore ??= await this.#remembered.read();
    // Its WebAssembly takes a moment and some memory, which a server that nobody searches does without.
    this.#database ??= new (await import('./index-database.ts')).IndexDatabase();
    const began = Date.now();
    if (performance.now() - this.#listedAllAt > this.listAllMs) await this.#listAll(backend);
    else await this.#listChanged(backend, new Date(this.#changedSince - overlapMs).toISOString());
    this.#changedSince = began;
    this.#asking ??= this.#askAll(backend).finally(() => {
      this.#asking = null;
    });
    // What it throws is what it could not ask: the next look tries again.
    this.#asking.catch(() => undefined);
  }

  async #listAll(backend: Backend): Promise<void> {
    const seen = new Set<string>();
    let cursor: string | null = null;
    do {
      const page = await pageOfRuns(backend.calls, {}, pageSize, cursor);
      await this.#takeAll(newestOf(page.runs, seen));
      cursor = page.next;
    } while (cursor !== null && seen.size < mostRuns && !this.#closed);
    this.#isCut = cursor !== null;
    const gone = [...this.#rows.keys()].filter((run) => !seen.has(run));
    this.#database?.removeAll(gone);
    for (const run of gone) this.#rows.delete(run);
    // Those that it is of are in the index by now.
    this.#fromBefore = new Map();
    this.#listedAllAt = performance.now();
  }

  /** Those that are open, that closed since then, or that were salvaged since then. */
  async #listChanged(backend: Backend, changedSince: string): Promise<void> {
    const filters: PageFilter[] = [
      { changedSince },
      { changedSince, outcome: 'salvaged' },
      { changedSince, outcome: 'lost' },
    ];
    for (const filter of filters) {
      const seen = new Set<string>();
      let cursor: string | null = null;
      do {
        const page = await pageOfRuns(backend.calls, filter, pageSize, cursor);
        await this.#takeAll(newestOf(page.runs, seen));
        cursor = page.next;
      } while (cursor !== null && !this.#closed);
    }
  }

  /** With time between them for others: SQLite works in the thread that answers requests. */
  async #takeAll(summaries: readonly RunSummary[]): Promise<void> {
    for (let at = 0; at < summaries.length; at += takenAtOnce) {
      this.#take(summaries.slice(at, at + takenAtOnce));
      await setImmediate();
    }
  }

  #take(summaries: readonly RunSummary[]): void {
    const changed = summaries.flatMap((summary) => {
      const text = JSON.stringify(summary);
      const row = this.#rows.get(summary.run) ?? { summary, text: '', version: null, askAt: 0, silenceMs: silentMs };
      if (row.text === text) return [];
      // Another life of the run has nothing of the one before.
      if (row.summary.createdAt !== summary.createdAt) row.version = null;
      const remembered = row.version === null ? this.#rememberedOf(summary) : null;
      const indexed = row.version === null ? { summary, details: remembered?.details ?? null } : { summary };
      row.version ??= remembered?.version ?? null;
      if (!isOpen(summary.workflowStatus))
        row.askAt = row.version === versionOf(summary) ? Number.POSITIVE_INFINITY : 0;
      Object.assign(row, { summary, text });
      this.#rows.set(summary.run, row);
      return indexed;
    });
    this.#database?.putAll(changed);
  }

  #rememberedOf(summary: RunSummary): Known | null {
    const known = this.#fromBefore?.get(summary.run);
    return known?.version === versionOf(summary) ? known : null;
  }

  /** The newest first: those that somebody looks for, also where many older ones cannot be asked. */
  async #askAll(backend: Backend): Promise<void> {
    const now = performance.now();
    const due = [...this.#rows.values()].filter(({ askAt }) => askAt <= now);
    due.sort((a, b) => b.summary.createdAt.localeCompare(a.summary.createdAt));
    let silent = 0;
    const queue = due.values();
    const ask = async () => {
      for (const row of queue) {
        // Nobody looks any more: what is left is asked when somebody does.
        if (this.#closed || silent >= silentInARow || performance.now() - this.#lastWanted > silentMs) return;
        const { summary } = row;
        const version = versionOf(summary);
        const details = await backend.training
          .view(summary.run)
          .then((view) => {
            silent = 0;
            return detailsOf(summary, view);
          })
          // Also where what it said cannot be taken: the others are asked all the same.
          .catch((error: unknown) => {
            if (error instanceof NoWorkerError) silent++;
            return null;
          });
        await this.#learn(row, version, details);
      }
    };
    await Promise.all(Array.from({ length: askedAtOnce }, ask));
  }

  async #learn(row: Row, version: string, details: RunDetails | null): Promise<void> {
    const { summary } = row;
    const { run } = summary;
    // It ended meanwhile, or is another life of the run: it is asked again.
    if (this.#closed || this.#rows.get(run) !== row || versionOf(summary) !== version) return;
    row.askAt = performance.now() + (details === null ? row.silenceMs : openMs);
    row.silenceMs = details === null ? Math.min(row.silenceMs * 2, longestSilenceMs) : silentMs;
    if (details === null) return;
    row.version = version;
    this.#database?.putAll([{ summary, details }]);
    if (isOpen(summary.workflowStatus)) return;
    row.askAt = Number.POSITIVE_INFINITY;
    // A disk that is full costs the next start some questions.
    await this.#remembered.add([{ run, version, details }]).catch(() => undefined);
  }
}

/** Pages are in the order in which runs ended: an earlier life of a run comes after the newest one, and may be on a later page. */
function newestOf(runs: readonly RunSummary[], seen: Set<string>): RunSummary[] {
  return runs.filter(({ run }) => !seen.has(run) && seen.add(run));
}

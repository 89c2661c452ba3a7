/**
 * Runs in SQLite, in memory: searched and sorted by any field. What it holds can be read anew at any time, so nothing here
 * is kept on a disk.
 */
import sqlite, { type Database, type Statement } from 'node-sqlite3-wasm';
import { resolveField } from '../../client/run-fields.ts';
import type { SearchTerm, SearchValue } from '../../contracts/run-search.ts';
import type { RunSummary } from '../../contracts/run-summary.ts';
import { type HeldLimits, type HeldRun, HeldRuns } from './held-runs.ts';
import { listedFields, type RunDetails, rowsOf, wordsOf } from './indexed-run.ts';
import { conditionOf, type Sql } from './search-sql.ts';

export interface IndexQuestion {
  terms: readonly SearchTerm[];
  /** Its beginning. */
  run?: string | undefined;
  /** Null: open runs first, then those that closed last. */
  order: { field: string; descending: boolean } | null;
  limit: number;
  offset: number;
}

export interface IndexedRun {
  summary: RunSummary;
  /** Null: it has told nothing. Left out: what it told before still holds. */
  details?: RunDetails | null;
}

/** Whatever runs there are, and whatever they tell, the index takes some hundred megabytes. */
const usualLimits = { values: 1_000_000, characters: 50_000_000, names: 20_000 };

export type RowValues = Record<string, SearchValue>;

/** What the columns of some query are; each query has some of them. */
type Row = Partial<Record<'id' | 'run' | 'runs' | 'name' | 'summary' | 'total' | 'number' | 'text' | 'shown', unknown>>;
type Bound = (string | number | null)[];

const schema = `
  CREATE TABLE runs (id INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, created TEXT NOT NULL, closed TEXT, summary TEXT NOT NULL);
  CREATE TABLE fields (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  -- A number, or a text in lower case; as it is shown, where that differs.
  CREATE TABLE vals (field INTEGER NOT NULL, run INTEGER NOT NULL, nth INTEGER NOT NULL, number REAL, text TEXT, shown TEXT, PRIMARY KEY (field, run, nth)) WITHOUT ROWID;
  CREATE INDEX ofRun ON vals (run);
`;
const recent = 'r.closed IS NOT NULL, r.closed DESC, r.created DESC, r.run';

export class IndexDatabase {
  readonly #database: Database;
  readonly #statements = new Map<string, Statement>();
  /** Their numbers, by name. */
  readonly #fields = new Map<string, number>();
  #newestField = 0;
  /** With the words of a search: what V8 looks through in a moment takes SQLite seconds, in which nobody is answered. */
  readonly #held: HeldRuns;
  /** Numbers of the fields that Temporal lists, as SQL. */
  readonly #listed: string;

  constructor(private readonly limits: HeldLimits & { names: number } = usualLimits) {
    this.#held = new HeldRuns(limits);
    this.#database = new sqlite.Database();
    this.#database.exec(schema);
    this.#listed = listedFields.map((name) => this.#id(name)).join(', ');
  }

  /** Of some runs it has not all that they told: there was more than it takes, and the newest runs count. */
  get isCut(): boolean {
    return this.#held.isCut;
  }

  close(): void {
    for (const statement of this.#statements.values()) statement.finalize();
    this.#database.close();
  }

  /** All of them, or none. */
  putAll(runs: Iterable<IndexedRun>): void {
    const put = this.#together(() => [...runs].map((one) => [one.summary.run, this.#put(one)] as const));
    for (const [run, held] of put) this.#held.set(run, held);
    const beyond = this.#held.beyond();
    if (beyond.length === 0) return;
    const cut = this.#together(() => {
      const done = beyond.flatMap((run) => this.#cut(run));
      this.#forgetNames();
      return done;
    });
    for (const [run, held] of cut) this.#held.set(run, held);
  }

  removeAll(runs: readonly string[]): void {
    this.#together(() => {
      for (const run of runs) {
        this.#run('DELETE FROM vals WHERE run = (SELECT id FROM runs WHERE run = ?)', [run]);
        this.#run('DELETE FROM runs WHERE run = ?', [run]);
      }
      this.#forgetNames();
    });
    for (const run of runs) this.#held.delete(run);
  }

  /** `isKnown`: what no run here has, no run has. Throws ConfigError for such a field, and for a name of two fields. */
  page({ terms, run, order, limit, offset }: IndexQuestion, isKnown: boolean): { runs: RunSummary[]; total: number } {
    // No field has the number 0: what only searches name is not remembered.
    const resolve = (field: string) =>
      this.#fields.get(resolveField(field, (name) => this.#isUsed(name), isKnown)) ?? 0;
    const conditions = terms.map((term) => conditionOf(term, resolve, (word) => this.#held.idsWith(word)));
    if (run !== undefined) conditions.push({ text: 'instr(r.run, ?) = 1', values: [run] });
    const where: Sql = {
      text: conditions.length === 0 ? '' : `WHERE ${conditions.map(({ text }) => text).join(' AND ')}`,
      values: conditions.flatMap(({ values }) => values),
    };
    const [counted] = this.#all(`SELECT count(*) AS total FROM runs r ${where.text}`, where.values);
    const sort = order === null ? null : { field: resolve(order.field), direction: order.descending ? 'DESC' : 'ASC' };
    // Values of one metric say nothing about those of another: runs are ranked within their metric.
    const metric = order?.field === 'best' ? resolve('best.metric') : null;
    const rows = this.#all(
      `SELECT r.summary FROM runs r
      ${sort === null ? '' : 'LEFT JOIN vals s ON s.field = ? AND s.run = r.id AND s.nth = 0'}
      ${metric === null ? '' : 'LEFT JOIN vals m ON m.field = ? AND m.run = r.id AND m.nth = 0'}
      ${where.text}
      ORDER BY ${metric === null ? '' : 's.run IS NULL, m.text IS NULL, m.text,'} ${
        // Runs without a value come last either way, and numbers before text: they cannot be compared.
        sort === null ? '' : `s.run IS NULL, s.number IS NULL, s.number ${sort.direction}, s.text ${sort.direction},`
      } ${recent} LIMIT ? OFFSET ?`,
      [...(sort === null ? [] : [sort.field]), ...(metric === null ? [] : [metric]), ...where.values, limit, offset],
    );
    return {
      runs: rows.map(({ summary }) => JSON.parse(String(summary)) as RunSummary),
      total: Number(counted?.total ?? 0),
    };
  }

  /** The first value of each field of each run that has one; both by the names that were given. */
  values(runs: readonly string[], fields: readonly string[]): Map<string, RowValues> {
    const found = new Map<string, RowValues>();
    for (const name of fields) {
      // A column of a name that is a parameter and a metric would be one or the other: it is neither.
      const meant = this.#isUsed(name)
        ? [name]
        : [`parameters.${name}`, `metrics.${name}`].filter((one) => this.#isUsed(one));
      const [only] = meant;
      if (only === undefined || meant.length > 1) continue;
      const rows = this.#all(
        // CROSS: the runs first, which are few.
        `SELECT r.run, v.number, v.text, v.shown FROM runs r CROSS JOIN vals v ON v.field = ? AND v.run = r.id AND v.nth = 0
        WHERE r.run IN (${runs.map(() => '?').join(', ')})`,
        [this.#fields.get(only) ?? 0, ...runs],
      );
      for (const { run, number, text, shown } of rows) {
        const values = found.get(String(run)) ?? {};
        values[name] = typeof number === 'number' ? number : String(shown ?? text);
        found.set(String(run), values);
      }
    }
    return found;
  }

  /** Fields of which some run has a value, most used first. */
  fields(most: number): { field: string; runs: number }[] {
    const rows = this.#all(
      `SELECT f.name, count(*) AS runs FROM vals v JOIN fields f ON f.id = v.field WHERE v.nth = 0
      GROUP BY v.field ORDER BY runs DESC, f.name LIMIT ?`,
      [most],
    );
    return rows.map(({ name, runs }) => ({ field: String(name), runs: Number(runs) }));
  }

  #put({ summary, details }: IndexedRun): HeldRun {
    const { run, createdAt, closedAt } = summary;
    const [row] = this.#all(
      `INSERT INTO runs (run, created, closed, summary) VALUES (?, ?, ?, ?)
      ON CONFLICT (run) DO UPDATE SET created = excluded.created, closed = excluded.closed, summary = excluded.summary
      RETURNING id`,
      [run, createdAt, closedAt, JSON.stringify(summary)],
    );
    const id = Number(row?.id);
    const before = details === undefined ? this.#held.get(run) : undefined;
    this.#run(`DELETE FROM vals WHERE run = ? ${before ? `AND field IN (${this.#listed})` : ''}`, [id]);
    let isCut = before?.isCut ?? false;
    const rows = rowsOf(summary, details ?? null).flatMap(([name, values]) => {
      const field = this.#id(name);
      if (field === null) isCut = true;
      return field === null ? [] : values.map((value, nth) => [field, nth, ...columnsOf(value)]);
    });
    // One statement for all of them: calls into WebAssembly are what takes long.
    this.#run(
      `INSERT OR IGNORE INTO vals (run, field, nth, number, text, shown)
      SELECT ?, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?)`,
      [id, JSON.stringify(rows)],
    );
    const told = before?.values ?? details?.fields.length ?? 0;
    const text = before && told > 0 ? before.text : wordsOf(summary, details ?? null);
    return { id, createdAt, text, values: told, isCut };
  }

  /** What the run told itself goes, and what Temporal lists of it stays. */
  #cut(run: string): [string, HeldRun][] {
    const held = this.#held.get(run);
    const [row] = this.#all('SELECT summary FROM runs WHERE run = ?', [run]);
    if (held === undefined || row === undefined) return [];
    this.#run(`DELETE FROM vals WHERE run = ? AND field NOT IN (${this.#listed})`, [held.id]);
    const text = wordsOf(JSON.parse(String(row.summary)) as RunSummary, null);
    return [[run, { ...held, text, values: 0, isCut: true }]];
  }

  /** Null: there are too many. */
  #id(field: string): number | null {
    const known = this.#fields.get(field);
    if (known !== undefined) return known;
    if (this.#fields.size >= this.limits.names) return null;
    this.#newestField += 1;
    const id = this.#newestField;
    this.#run('INSERT INTO fields (id, name) VALUES (?, ?)', [id, field]);
    this.#fields.set(field, id);
    return id;
  }

  /** Of fields that no run has any longer, before there are too many. */
  #forgetNames(): void {
    if (this.#fields.size < this.limits.names / 2) return;
    this.#run(
      `DELETE FROM fields WHERE id NOT IN (${this.#listed}) AND NOT EXISTS (SELECT 1 FROM vals v WHERE v.field = fields.id)`,
      [],
    );
    this.#readNames();
  }

  #readNames(): void {
    this.#fields.clear();
    for (const { id, name } of this.#all('SELECT id, name FROM fields', [])) this.#fields.set(String(name), Number(id));
  }

  #isUsed(field: string): boolean {
    const id = this.#fields.get(field);
    return id !== undefined && this.#all('SELECT 1 FROM vals WHERE field = ? LIMIT 1', [id]).length > 0;
  }

  #together<T>(work: () => T): T {
    this.#database.exec('BEGIN');
    try {
      const done = work();
      this.#database.exec('COMMIT');
      return done;
    } catch (error) {
      this.#database.exec('ROLLBACK');
      this.#readNames();
      throw error;
    }
  }

  #run = (sql: string, values: Bound): void => {
    this.#prepared(sql).run(values);
  };

  #all(sql: string, values: Bound): Row[] {
    return this.#prepared(sql).all(values) as unknown as Row[];
  }

  /** Statements of the same text are compiled once; those of searches have many texts. */
  #prepared(sql: string): Statement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    if (this.#statements.size >= 100) {
      for (const statement of this.#statements.values()) statement.finalize();
      this.#statements.clear();
    }
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** `number`, `text` and `shown`. */
function columnsOf(value: SearchValue): Bound {
  if (typeof value === 'number') return [value, null, null];
  const text = value.toLowerCase();
  return [null, text, text === value ? null : value];
}

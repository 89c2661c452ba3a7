/** Pages of runs: in Temporal's own order as it lists them, which needs no index; searched or in another order from the server's index. */
import { createHash } from 'node:crypto';
import { ConfigError } from '../client/errors.ts';
import { parseOrder, termsOf } from '../client/run-conditions.ts';
import { countRuns, type PageFilter, pageOfRuns } from '../client/run-pages.ts';
import { shownValue } from '../contracts/config-problems.ts';
import { mostColumns, namedOrders, type RunsPage } from '../contracts/http-answers.ts';
import type { SearchTerm } from '../contracts/run-search.ts';
import { AnswerCache } from './answer-cache.ts';
import type { RunIndex } from './run-index/run-index.ts';
import type { Backend } from './temporal-link.ts';

export interface PageQuestion extends Omit<PageFilter, 'changedSince'> {
  search?: string | undefined;
  columns?: string | undefined;
  sort: string;
  limit: number;
  cursor?: string | undefined;
}

export class RunLists {
  readonly #counts = new AnswerCache<number | null>(1_000);

  constructor(private readonly index: RunIndex) {}

  async page(backend: Backend, question: PageQuestion): Promise<RunsPage> {
    const columns = columnsOf(question.columns);
    const isListed = question.sort === 'recent' && (question.search ?? '').trim() === '';
    const page = await (isListed ? this.#listed(backend, question) : this.#indexed(backend, question));
    const values =
      columns.length === 0
        ? new Map()
        : await this.index.values(
            backend,
            page.runs.map(({ run }) => run),
            columns,
          );
    return { ...page, values: Object.fromEntries(values) };
  }

  async #listed(backend: Backend, question: PageQuestion): Promise<Omit<RunsPage, 'values'>> {
    const { sort: _sort, search: _search, columns: _columns, limit, cursor, ...filter } = question;
    const [page, total] = await Promise.all([
      pageOfRuns(backend.calls, filter, limit, unsealed(cursor)),
      this.#counts.get(JSON.stringify(filter), () => countRuns(backend.calls, filter)),
    ]);
    const next = page.next === null ? null : sealed(page.next);
    return { runs: page.runs, next, total, sortedAll: true, pending: 0 };
  }

  async #indexed(backend: Backend, question: PageQuestion): Promise<Omit<RunsPage, 'values'>> {
    const { sort, search = '', limit, cursor, text, state, trainer, project, outcome } = question;
    const terms = [
      ...termsOf('search', search),
      ...Object.entries({ state, trainer, project, outcome }).flatMap(([field, value]) =>
        value === undefined ? [] : isExactly(field, value),
      ),
    ];
    const named: string = Object.hasOwn(namedOrders, sort) ? namedOrders[sort as keyof typeof namedOrders] : sort;
    const order = named === 'recent' ? null : parseOrder(named);
    const offset = offsetOf(cursor);
    const page = await this.index.page(backend, { terms, run: text, order, limit, offset });
    const end = offset + limit;
    return {
      runs: page.runs,
      next: end < page.total ? String(end) : null,
      total: page.total,
      sortedAll: page.all,
      pending: page.pending,
    };
  }
}

const isExactly = (field: string, value: string): SearchTerm => ({
  kind: 'comparison',
  field,
  operator: '=',
  value,
  number: null,
  negated: false,
  place: { start: 0, end: 0 },
});

function columnsOf(text = ''): string[] {
  const columns = [...new Set(text.split(',').filter(Boolean))];
  if (columns.length <= mostColumns) return columns;
  throw new ConfigError([
    { field: 'columns', value: `${columns.length} columns`, message: `must be at most ${mostColumns}` },
  ]);
}

/** Temporal retries for a long time with what is not one of its tokens, so that is recognised here. */
const sealed = (token: string): string => `${createHash('sha256').update(token).digest('hex').slice(0, 12)}.${token}`;

function unsealed(cursor: string | undefined): string | null {
  if (cursor === undefined) return null;
  const token = cursor.slice(cursor.indexOf('.') + 1);
  if (sealed(token) === cursor) return token;
  throw noCursor(cursor);
}

const noCursor = (cursor: string): ConfigError =>
  new ConfigError([{ field: 'cursor', value: shownValue(cursor), message: 'must be `next` of the page before' }]);

function offsetOf(cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  if (/^[0-9]{1,5}$/.test(cursor)) return Number(cursor);
  throw noCursor(cursor);
}

/** Pages of runs. Temporal lists in one order only; other orders sort the newest matches, once for all their pages. */
import { createHash } from 'node:crypto';
import { ConfigError } from '../client/errors.ts';
import { countRuns, type PageFilter, pageOfRuns } from '../client/run-pages.ts';
import { shownValue } from '../contracts/config-problems.ts';
import type { RunSort, RunsPage } from '../contracts/http-answers.ts';
import type { RunSummary } from '../contracts/run-summary.ts';
import { AnswerCache } from './answer-cache.ts';
import type { Backend } from './temporal-link.ts';

export interface PageQuestion extends PageFilter {
  sort: RunSort;
  limit: number;
  cursor?: string | undefined;
}

interface Sorted {
  runs: RunSummary[];
  all: boolean;
}

const mostSorted = 10_000;
const pageToCollect = 1_000;

export class RunLists {
  readonly #sorted = new AnswerCache<Sorted>(15_000, 8);
  readonly #counts = new AnswerCache<number | null>(1_000);

  async page(backend: Backend, { sort, limit, cursor, ...filter }: PageQuestion): Promise<RunsPage> {
    const [token, offset] = sort === 'recent' ? [unsealed(cursor), 0] : [null, offsetOf(cursor)];
    const key = JSON.stringify(filter);
    const counted = this.#counts.get(key, () => countRuns(backend.calls, filter));
    if (sort === 'recent') {
      const [page, total] = await Promise.all([pageOfRuns(backend.calls, filter, limit, token), counted]);
      return { ...page, next: page.next === null ? null : sealed(page.next), total, sortedAll: true };
    }
    const [{ runs, all }, total] = await Promise.all([
      this.#sorted.get(`${sort} ${key}`, () => collect(backend, filter, sort)),
      counted,
    ]);
    const end = offset + limit;
    return { runs: runs.slice(offset, end), next: end < runs.length ? String(end) : null, total, sortedAll: all };
  }
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

async function collect({ calls }: Backend, filter: PageFilter, sort: RunSort): Promise<Sorted> {
  const runs: RunSummary[] = [];
  let cursor: string | null = null;
  do {
    const page = await pageOfRuns(calls, filter, pageToCollect, cursor);
    runs.push(...page.runs);
    cursor = page.next;
  } while (cursor !== null && runs.length < mostSorted);
  return { runs: runs.sort(orders[sort]), all: cursor === null };
}

type Order = (a: RunSummary, b: RunSummary) => number;

const by = <T extends string | number>(keyOf: (run: RunSummary) => T | null, direction: 1 | -1): Order => {
  return (a, b) => {
    const [x, y] = [keyOf(a), keyOf(b)];
    // What has no value is last either way.
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    return x === y ? 0 : x < y ? -direction : direction;
  };
};

const orders: Readonly<Record<RunSort, Order>> = {
  recent: () => 0,
  oldest: by(({ startedAt, createdAt }) => startedAt ?? createdAt, 1),
  bestMetric: by(({ bestMetric }) => bestMetric, 1),
  '-bestMetric': by(({ bestMetric }) => bestMetric, -1),
  run: by(({ run }) => run, 1),
  '-run': by(({ run }) => run, -1),
  closedAt: by(({ closedAt }) => closedAt, 1),
  '-closedAt': by(({ closedAt }) => closedAt, -1),
};

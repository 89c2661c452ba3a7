/** Runs searched and sorted by their parameters and metrics, which only the runs themselves know. */
import { matchesSearch, type SearchTerm } from '../contracts/run-search.ts';
import { NoWorkerError, WorkerFailedError } from './errors.ts';
import { inOrder } from './run-conditions.ts';
import { fieldOf, type ListedRun, needsView, resolveField, searchedRun } from './run-fields.ts';
import type { RunFilter } from './run-filter.ts';
import type { TrainingClient } from './training-client.ts';

export interface Search {
  filter: Omit<RunFilter, 'limit'>;
  /** All of them must hold. */
  terms: readonly SearchTerm[];
  order: { field: string; descending: boolean } | null;
  /** Fields that are shown of each run. */
  fields: readonly string[];
  limit: number;
}

export interface FoundRuns {
  runs: ListedRun[];
  /** The fields as they are meant: `lr0` is `parameters.lr0`. */
  fields: string[];
  /** More match the filter than were looked at. */
  isCut: boolean;
  /** Runs that did not answer: whether they match is not known. */
  silent: number;
}

/** Each of them may have to be asked, and a worker has to look its history up. */
export const mostSearched = 1_000;
const askedAtOnce = 8;

/** Throws ConfigError for a field that no run has. */
export async function findRuns(
  client: Pick<TrainingClient, 'list' | 'view'>,
  { filter, terms, order, fields, limit }: Search,
): Promise<FoundRuns> {
  const isSearch = terms.length > 0 || order !== null;
  const looked = isSearch ? mostSearched : limit;
  const listed: ListedRun[] = [];
  for await (const summary of client.list({ ...filter, limit: looked })) listed.push({ summary, view: null });
  const isCut = listed.length === looked;
  // What the server lists is looked at first: the others need not be asked.
  const cheap = terms.filter((term) => term.kind === 'comparison' && !needsView(term.field));
  const candidates = listed.filter((run) => matchesSearch(searchedRun(run), cheap));
  const compared = terms.flatMap((term) => (term.kind === 'comparison' ? term.field : []));
  const named = [...fields, ...compared, ...(order ? [order.field] : [])];
  const isAsked = named.some(needsView) || terms.some(({ kind }) => kind === 'word');
  const runs = isAsked ? await withViews(client, candidates) : candidates;
  const isKnown = runs.some(({ view }) => view !== null);
  const has = (field: string) => runs.some((run) => fieldOf(run, field) !== null);
  const meant = (field: string) => (runs.length === 0 ? field : resolveField(field, has, isKnown));
  const resolved = terms.map((term) => (term.kind === 'word' ? term : { ...term, field: meant(term.field) }));
  const found = runs.filter((run) => matchesSearch(searchedRun(run), resolved));
  const sorted = order === null ? found : inOrder(found, meant(order.field), order.descending);
  return {
    runs: sorted.slice(0, limit),
    fields: fields.map(meant),
    isCut,
    silent: isAsked ? runs.filter(({ view }) => view === null).length : 0,
  };
}

/** In their order. */
async function withViews(client: Pick<TrainingClient, 'view'>, runs: readonly ListedRun[]): Promise<ListedRun[]> {
  const asked: ListedRun[] = [...runs];
  const queue = runs.entries();
  let isOffline = false;
  const take = async () => {
    for (const [index, { summary }] of queue) {
      // The same workers answer for all runs: where one had nobody, each of the others would wait as long.
      if (isOffline) return;
      const view = await client.view(summary.run).catch((error: unknown) => {
        isOffline ||= error instanceof NoWorkerError;
        if (error instanceof NoWorkerError || error instanceof WorkerFailedError) return null;
        throw error;
      });
      asked[index] = { summary, view };
    }
  };
  await Promise.all(Array.from({ length: askedAtOnce }, take));
  return asked;
}

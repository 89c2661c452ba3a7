/** A trainer's own pages of a run, kept up to date while somebody looks at them. */

import { keepPreviousData, queryOptions, useQuery, useQueryClient } from '@tanstack/react-query';
import type { RunDetails } from '../../../contracts/http-answers.ts';
import { addressOf } from '../../../contracts/http-api.ts';
import type { RunPages } from '../../../contracts/http-pages.ts';
import { readLayout, type UiNode, type WidgetKind } from '../../../contracts/ui.ts';
import {
  largestPageValue,
  latestPageRows,
  type PageRow,
  type ValueOf,
  valueSchemas,
} from '../../../contracts/ui-values.ts';
import { askedEvery } from '../api/asked-every.ts';
import { call } from '../api/call.ts';

const shownMs = 3_000;
/** For the layout, which comes with the first session. */
const waitedForMs = 5_000;

/** `isShown`: somebody looks at them now. `hasRun`: there is, or was, a session. */
export function useRunPages(details: RunDetails, hasRun: boolean, isShown: boolean): RunPages | null {
  const { run, closedAt } = details.summary;
  const isOver = closedAt !== null;
  const isBeginning = (details.view?.position.epoch ?? 0) === 0;
  const queries = useQueryClient();
  // What ends moves to its output folder: asked for anew.
  const queryKey = ['pages', run, isOver];
  const { data } = useQuery({
    queryKey,
    queryFn: async ({ signal }): Promise<RunPages> => {
      const before = queries.getQueryData<RunPages>(queryKey);
      const query = before ? { after: before.next } : {};
      return joinedPages(before, await call('pages', { params: { run }, query, signal }));
    },
    enabled: hasRun,
    refetchInterval: askedEvery(({ state }: { state: { data?: RunPages | undefined; error: Error | null } }) => {
      if (isOver) return false;
      if (isShown) return shownMs;
      return isBeginning && !state.data?.layout ? waitedForMs : false;
    }),
    staleTime: isOver ? Number.POSITIVE_INFINITY : shownMs,
    placeholderData: keepPreviousData,
  });
  return data?.layout ? data : null;
}

/** `more` is what came after `before`, or all that there is. */
export function joinedPages(before: RunPages | undefined, more: RunPages): RunPages {
  if (!before) return more;
  const layout = more.layout === undefined ? before.layout : more.layout;
  const rows = more.isWhole ? more.rows : latestPageRows([...before.rows, ...more.rows]);
  return { ...more, layout, rows, isWhole: true };
}

export const layoutOf = (pages: RunPages): UiNode | null => readLayout(pages.layout ?? null);

/** Rows of each widget, in the order of positions. */
export function rowsByWidget(rows: readonly PageRow[]): ReadonlyMap<string, PageRow[]> {
  const found = new Map<string, PageRow[]>();
  for (const row of rows) found.set(row.widget, [...(found.get(row.widget) ?? []), row]);
  for (const own of found.values())
    own.sort((a, b) => a.position.epoch - b.position.epoch || a.position.batch - b.position.batch || a.epoch - b.epoch);
  return found;
}

/** A file that a row names. */
export const pageFileAddress = (run: string, path: string): string => addressOf('file', { run }, { path });

/** What a row shows, also where that is a file of its own; a file is named by its content, and never changes. */
export const pageValueQuery = (run: string, row: PageRow) =>
  queryOptions({
    queryKey: ['page-value', run, row.file ?? row.at, row.widget],
    queryFn: async ({ signal }): Promise<unknown> => {
      if (row.file === undefined) return row.value ?? null;
      const answer = await fetch(pageFileAddress(run, row.file), { credentials: 'same-origin', signal });
      if (!answer.ok) throw new Error('This value is no longer kept.');
      if (Number(answer.headers.get('content-length') ?? 0) > largestPageValue)
        throw new Error('This value is too large to be shown.');
      return answer.json();
    },
    staleTime: Number.POSITIVE_INFINITY,
    retry: 1,
  });

/** Null for what no widget of this kind shows. */
export function readValue<K extends WidgetKind>(kind: K, value: unknown): ValueOf<K> | null {
  const read = valueSchemas[kind].safeParse(value);
  // The schema is the kind's own, which TypeScript cannot follow through the index.
  return read.success ? (read.data as ValueOf<K>) : null;
}

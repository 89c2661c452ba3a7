/** Runs as the server's visibility lists them: quick, without asking a worker, a moment behind. */
import type { RunSummary } from '../contracts/run-summary.ts';
import type { Calls } from './calls.ts';
import { parsed } from './parse-config.ts';
import { type RunFilter, runFilterSchema } from './run-filter.ts';
import { pageOfRuns } from './run-pages.ts';
import { typedError } from './temporal-errors.ts';

const pageSize = 200;

/** Newest first. Throws ConfigError for a filter that is none, and the errors of the server. */
export async function* listRuns(calls: Calls, filter: RunFilter = {}): AsyncGenerator<RunSummary> {
  const { limit = Number.POSITIVE_INFINITY, ...wanted } = parsed(runFilterSchema, filter);
  let listed = 0;
  let cursor: string | null = null;
  try {
    do {
      const page = await pageOfRuns(calls, wanted, Math.min(pageSize, limit), cursor);
      for (const summary of page.runs) {
        yield summary;
        if (++listed >= limit) return;
      }
      cursor = page.next;
    } while (cursor !== null);
  } catch (error) {
    throw typedError(error, calls.server, null);
  }
}

/** Routes about runs: lists, one run, live, and what can be done with it. */
import { LRUCache } from 'lru-cache';
import { NoWorkerError, RunNotFoundError } from '../client/errors.ts';
import { findGoodput } from '../client/goodput.ts';
import { ProgressLease } from '../client/progress-lease.ts';
import { describeRun } from '../client/run-pages.ts';
import type { GoodputAnswer } from '../contracts/goodput.ts';
import type { LiveProgress } from '../contracts/http-answers.ts';
import { name } from '../contracts/names.ts';
import type { Access } from './access.ts';
import { AnswerCache } from './answer-cache.ts';
import { streamRun } from './live-stream.ts';
import { OpenStreams } from './open-streams.ts';
import { Queues } from './queues.ts';
import { invalidInput } from './refusals.ts';
import type { Handle } from './routes.ts';
import { runDetails } from './run-details.ts';
import type { RunIndex } from './run-index/run-index.ts';
import { RunLists } from './run-lists.ts';
import type { RunWatches } from './run-watches.ts';
import type { Backend, TemporalLink } from './temporal-link.ts';

const mostRows = 200;
const mostFields = 1_000;

export function runRoutes(
  handle: Handle,
  { link, watches, access, index }: { link: TemporalLink; watches: RunWatches; access: Access; index: RunIndex },
): void {
  const queues = new Queues();
  const lists = new RunLists(index);
  const progress = new AnswerCache<LiveProgress[]>(500, 1_000);
  const leases = new LRUCache<string, ProgressLease>({ max: 1_000 });
  /** However many tables show it. */
  const leaseOf = (run: string): ProgressLease => {
    const lease =
      leases.get(run) ?? new ProgressLease(async (host) => (await link.backend()).training.lease(host, run));
    leases.set(run, lease);
    return lease;
  };

  /** A thousand runs may be asked for it. */
  const goodput = new AnswerCache<GoodputAnswer>(60_000);
  /** All values of the index are counted for it. */
  const fields = new AnswerCache<{ field: string; runs: number }[]>(5_000);

  handle('runs', async ({ query }) => lists.page(await link.backend(), query));

  handle('runFields', () => fields.get('', async () => index.fields(await link.backend(), mostFields)));

  handle('progress', async ({ query }) => {
    const runs = [...new Set(query.runs.split(',').filter(Boolean))];
    if (runs.length > mostRows) {
      throw invalidInput([{ field: 'runs', value: `${runs.length} runs`, message: `must be at most ${mostRows}` }]);
    }
    for (const run of runs) {
      if (!name.safeParse(run).success) {
        throw invalidInput([
          {
            field: 'runs',
            value: JSON.stringify(run.slice(0, 60)),
            message: 'must be run ids with commas between them',
          },
        ]);
      }
    }
    const backend = await link.backend();
    const rows = await inTurns(
      runs,
      8,
      async (run) => [run, await progress.get(run, () => progressOf(backend, queues, run, leaseOf(run)))] as const,
    );
    return Object.fromEntries(rows);
  });

  handle('goodput', ({ query }) =>
    goodput.get(JSON.stringify(query), async () => findGoodput((await link.backend()).training, query)),
  );

  handle('run', async ({ params }) => runDetails(await link.backend(), params.run));

  const streams = new OpenStreams();
  handle('live', async ({ params, request, reply }) => {
    const release = streams.take(request.ip);
    try {
      await streamRun(watches, params.run, reply, async () => (await access.principalOf(request)) !== null);
      if (reply.raw.destroyed) release();
      else reply.raw.once('close', release);
    } catch (error) {
      release();
      throw error;
    }
    return reply;
  });

  handle('start', async ({ body: { config, draft }, request }) => {
    const { training } = await link.backend();
    // The client checks it: field by field here, and by the trainer itself on a worker.
    const started = await training.start(config as Parameters<typeof training.start>[0], {
      draft,
      traceparent: String(request.headers.traceparent ?? ''),
    });
    const view = await training.view(started.run).catch((error: unknown) => {
      if (error instanceof NoWorkerError) return null;
      throw error;
    });
    return { run: started.run, view };
  });

  handle('configure', async ({ params, body }) => (await link.backend()).training.configure(params.run, body));
  handle('train', async ({ params }) => (await link.backend()).training.train(params.run));
  handle('stop', async ({ params, body }) => (await link.backend()).training.stop(params.run, body.mode));
  handle('pause', async ({ params }) => (await link.backend()).training.pause(params.run));
  handle('resume', async ({ params }) => (await link.backend()).training.resume(params.run));
}

async function progressOf(
  { calls }: Backend,
  queues: Queues,
  run: string,
  lease: ProgressLease,
): Promise<LiveProgress[]> {
  try {
    const { summary, progress, waiting } = await describeRun(calls, run, lease);
    if (summary.workflowStatus !== 'running') return [];
    return [...progress, ...(await queues.placeOf(calls, waiting))];
  } catch (error) {
    // A row of a table that is a moment old.
    if (error instanceof RunNotFoundError) return [];
    throw error;
  }
}

/** In the order of `items`, at most `width` at a time. */
async function inTurns<T, R>(items: readonly T[], width: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const take = async () => {
    for (const [index, item] of queue) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: width }, take));
  return results;
}

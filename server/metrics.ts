/** What `GET /metrics` tells Prometheus: what Temporal says of runs and pools now, and what this process has counted. */
import type { FastifyInstance } from 'fastify';
import { Gauge, Registry } from 'prom-client';
import { ServerUnreachableError } from '../client/errors.ts';
import { countOpenRuns } from '../client/run-counts.ts';
import { queueLengths } from '../client/run-queue.ts';
import { version } from '../client/version.ts';
import { AnswerCache } from './answer-cache.ts';
import type { HostsSeen } from './hosts-seen.ts';
import type { Backend, TemporalLink } from './temporal-link.ts';

/** In the text format of Prometheus. */
export type Exposed = () => Promise<string>;

export interface MetricsParts {
  link: TemporalLink;
  hosts: HostsSeen;
  defaultPool: string;
  /** What else this process counts. */
  counted: readonly Exposed[];
}

/** How old an answer may be, in milliseconds: whoever scrapes more often, or twice, asks Temporal nothing more. */
const freshMs = 5_000;
/** A worker polls all the time; one that has not for so long is gone, in milliseconds. */
const pollsWithinMs = 120_000;

export function serveMetrics(app: FastifyInstance, parts: MetricsParts): void {
  const answers = new AnswerCache<string>(freshMs, 1);
  app.route({
    method: 'GET',
    url: '/metrics',
    schema: { hide: true },
    config: { action: 'see', scrapers: true },
    handler: async (_, reply) => {
      const asked = await answers.get('', () => askedOf(parts));
      const counted = await Promise.all(parts.counted.map((exposed) => exposed()));
      return reply
        .type(Registry.PROMETHEUS_CONTENT_TYPE)
        .serializer(String)
        .send([asked, ...counted].join('\n'));
    },
  });
}

/** What cannot be known now is left out: a zero would be a statement. */
async function askedOf({ link, hosts, defaultPool }: MetricsParts): Promise<string> {
  const registry = new Registry();
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge({ name: `epochal_${name}`, help, labelNames, registers: [registry] });
  gauge('build_info', 'Always 1; the version of the server', ['version']).set({ version }, 1);
  const up = gauge('temporal_up', '1 while Temporal answers this server');
  try {
    const backend = await link.backend();
    const [runs, unserved, pools] = await Promise.all([
      countOpenRuns(backend.calls),
      hosts.unserved(backend),
      poolsOf(backend, hosts, defaultPool),
    ]);
    const open = gauge('runs', 'Runs that are not over, by where they stand', ['standing']);
    for (const [standing, count] of Object.entries(runs)) open.set({ standing }, count);
    gauge('workflows_served', '1 while a server serves the workflows of runs').set(unserved === null ? 1 : 0);
    const [known, waiting, oldest] = [
      gauge('hosts', 'Hosts whose worker asks for work', ['pool']),
      gauge('queued_runs', 'Runs that wait for a slot, or are made ready in one', ['pool']),
      gauge('oldest_queued_run_seconds', 'How long the run has waited that waits longest, of the newest 1,000', [
        'pool',
      ]),
    ];
    for (const { pool, count, queued, oldestSeconds } of pools) {
      known.set({ pool }, count);
      waiting.set({ pool }, queued);
      oldest.set({ pool }, oldestSeconds);
    }
    up.set(1);
  } catch (error) {
    if (!(error instanceof ServerUnreachableError)) throw error;
    up.set(0);
  }
  return registry.metrics();
}

interface PoolNow {
  pool: string;
  count: number;
  queued: number;
  /** 0 where nobody waits. */
  oldestSeconds: number;
}

async function poolsOf(backend: Backend, hosts: HostsSeen, defaultPool: string): Promise<PoolNow[]> {
  const seen = await hosts.seen(backend);
  const now = Date.now();
  const queues = await queueLengths(backend.calls, [defaultPool, ...seen.map(({ pool }) => pool)]);
  return queues.map(({ pool, queued, since }) => {
    const there = seen.filter(
      (one) => one.pool === pool && one.seenAt !== null && now - one.seenAt.getTime() < pollsWithinMs,
    );
    const oldestSeconds = since === null ? 0 : Math.max(0, (now - Date.parse(since)) / 1000);
    return { pool, count: there.length, queued, oldestSeconds };
  });
}

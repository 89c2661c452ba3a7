/** Routes about the server itself: access, connection, settings, the chart. */
import { z } from 'zod';
import { ServerUnreachableError } from '../client/errors.ts';
import { version } from '../client/version.ts';
import type { Health } from '../contracts/http-answers.ts';
import { runChartGraph } from '../contracts/run-chart-graph.ts';
import { runConfigSchema } from '../contracts/run-config.ts';
import type { Access } from './access.ts';
import type { HostsSeen } from './hosts-seen.ts';
import type { Handle } from './routes.ts';
import type { ServerSettings } from './settings.ts';
import type { TemporalLink } from './temporal-link.ts';

export interface ServerParts {
  link: TemporalLink;
  hosts: HostsSeen;
  access: Access;
  settings: ServerSettings;
}

export function serverRoutes(handle: Handle, { link, hosts, access, settings }: ServerParts): void {
  const { defaultPool } = settings;

  handle('alive', () => ({ ok: true as const }));
  handle('access', async ({ request }) => ({
    tokenRequired: access.tokenRequired,
    granted: (await access.principalOf(request)) !== null,
  }));
  handle('enter', async ({ body, request, reply }) => {
    const cookie = await access.enter(request, body);
    if (cookie !== null) reply.header('set-cookie', cookie);
    return { tokenRequired: access.tokenRequired, granted: true };
  });
  handle('leave', async ({ request, reply }) => {
    reply.header('set-cookie', await access.leave(request));
    return { tokenRequired: access.tokenRequired, granted: !access.tokenRequired };
  });

  handle('health', async (): Promise<Health> => {
    const at = new Date().toISOString();
    try {
      const backend = await link.backend();
      const { address, namespace } = backend;
      const [all, unserved] = await Promise.all([hosts.all(backend), hosts.unserved(backend)]);
      const workers = all
        .filter(({ status }) => status !== null)
        .map(({ host, pool, seenAt }) => ({ host, pool, seenAt }));
      const pools = new Map([[defaultPool, 0], ...all.map(({ pool }): [string, number] => [pool, 0])]);
      for (const { pool } of workers) pools.set(pool, (pools.get(pool) ?? 0) + 1);
      return {
        at,
        temporal: { reachable: true, address, namespace, problem: null },
        unserved,
        workers,
        pools: [...pools].map(([pool, count]) => ({ pool, workers: count })),
      };
    } catch (error) {
      if (!(error instanceof ServerUnreachableError)) throw error;
      const { address, namespace } = link.known ?? { address: '', namespace: 'default' };
      return {
        at,
        temporal: { reachable: false, address, namespace, problem: error.message },
        unserved: null,
        workers: [],
        pools: [{ pool: defaultPool, workers: 0 }],
      };
    }
  });

  // The input: what has a default may be left out.
  const configSchema = z.record(z.string(), z.json()).parse(z.toJSONSchema(runConfigSchema, { io: 'input' }));
  handle('settings', () => ({
    version,
    temporalUi: link.known?.ui ?? null,
    namespace: link.known?.namespace ?? 'default',
    defaultPool,
    configSchema,
  }));
  handle('chart', () => runChartGraph);
}

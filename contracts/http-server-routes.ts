/** The server itself: its health, its settings, who has signed in, the chart. */
import { z } from 'zod';
import { chartGraphSchema } from './chart-graph.ts';
import { accessSchema, healthSchema, settingsSchema } from './http-answers.ts';
import type { RouteDefinition } from './http-route.ts';

export const serverRoutes = {
  alive: {
    method: 'GET',
    path: '/api/alive',
    tag: 'server',
    summary: 'Whether this server answers',
    answer: z.strictObject({ ok: z.literal(true) }),
    open: true,
  },
  access: {
    method: 'GET',
    path: '/api/access',
    tag: 'server',
    summary: 'Whether a token is needed, and was given',
    answer: accessSchema,
    open: true,
  },
  /** Gives the browser a cookie for what cannot send a header (images, event streams). */
  enter: {
    method: 'POST',
    path: '/api/access',
    tag: 'server',
    summary: 'Give the token, or a code that signs in once, for a cookie',
    body: z
      .strictObject({ token: z.string().min(1).max(1000).optional(), code: z.string().min(1).max(100).optional() })
      .refine(({ token, code }) => (token === undefined) !== (code === undefined), {
        path: ['token'],
        message: 'is needed, or code, and not both',
      }),
    answer: accessSchema,
    open: true,
  },
  leave: {
    method: 'DELETE',
    path: '/api/access',
    tag: 'server',
    summary: 'End the login session',
    answer: accessSchema,
    open: true,
  },
  health: {
    method: 'GET',
    path: '/api/health',
    tag: 'server',
    summary: 'Whether Temporal and workers are reachable',
    action: 'see',
    answer: healthSchema,
  },
  settings: {
    method: 'GET',
    path: '/api/settings',
    tag: 'server',
    summary: 'Version, addresses, schema of a configuration',
    action: 'see',
    answer: settingsSchema,
  },
  chart: {
    method: 'GET',
    path: '/api/chart',
    tag: 'server',
    summary: 'The chart of a run, as nodes and edges',
    action: 'see',
    answer: chartGraphSchema,
  },
} as const satisfies Record<string, RouteDefinition>;

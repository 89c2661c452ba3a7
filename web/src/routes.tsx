/** Addresses of the pages. Each page is a chunk of its own, fetched when it is first visited or about to be. */

import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { z } from 'zod';
import { runSortSchema } from '../../contracts/http-api.ts';
import { outcomeSchema, runStateSchema } from '../../contracts/receipt.ts';
import { chunk } from './chunk.ts';
import { NotFound } from './shell/not-found.tsx';
import { PageTrouble } from './shell/page-trouble.tsx';
import { Shell } from './shell/shell.tsx';

/** What an address holds that we do not understand is left out, never an error. */
const lenient = <T extends z.ZodType>(schema: T) => schema.optional().catch(undefined);
const text = lenient(z.coerce.string().max(200));

const runsSearch = z.object({
  state: lenient(runStateSchema),
  outcome: lenient(outcomeSchema),
  trainer: text,
  project: text,
  text,
  sort: lenient(runSortSchema),
});
export type RunsSearch = z.infer<typeof runsSearch>;

export const runTabs = [
  'overview',
  'curves',
  'checkpoints',
  'log',
  'files',
  'data',
  'receipt',
  'configuration',
] as const;
export type RunTab = (typeof runTabs)[number];

const rootRoute = createRootRoute({ component: Shell, notFoundComponent: NotFound });

export const runsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/',
  validateSearch: (search) => runsSearch.parse(search),
  component: lazyRouteComponent(() => chunk(() => import('./runs/runs-page.tsx')), 'RunsPage'),
});

export const newRunRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/new',
  validateSearch: (search) =>
    z
      .object({
        /** A run to begin with a copy of. */
        from: text,
        checkpoint: text,
        keepProgress: lenient(z.boolean()),
        /** A draft to go on with. */
        draft: text,
      })
      .parse(search),
  component: lazyRouteComponent(() => chunk(() => import('./wizard/new-run-page.tsx')), 'NewRunPage'),
});

export const runRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/runs/$run',
  validateSearch: (search) => z.object({ tab: lenient(z.enum(runTabs)), folder: text }).parse(search),
  component: lazyRouteComponent(() => chunk(() => import('./run/run-page.tsx')), 'RunPage'),
});

export const compareRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/compare',
  validateSearch: (search) => z.object({ runs: lenient(z.string().max(2000)) }).parse(search),
  component: lazyRouteComponent(() => chunk(() => import('./curves/compare-page.tsx')), 'ComparePage'),
});

export const hostsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/hosts',
  component: lazyRouteComponent(() => chunk(() => import('./hosts/hosts-page.tsx')), 'HostsPage'),
});

export const router = createRouter({
  routeTree: rootRoute.addChildren([runsRoute, newRunRoute, runRoute, compareRoute, hostsRoute]),
  defaultPreload: 'intent',
  defaultErrorComponent: PageTrouble,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}

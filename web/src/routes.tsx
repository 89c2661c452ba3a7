/** Addresses of the pages. Each page is a chunk of its own, fetched when it is first visited or about to be. */

import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { compareSearchSchema, newRunSearchSchema, runSearchSchema, runsSearchSchema } from './addresses.ts';
import { chunk } from './chunk.ts';
import { NotFound } from './shell/not-found.tsx';
import { PageTrouble } from './shell/page-trouble.tsx';
import { Shell } from './shell/shell.tsx';

const rootRoute = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const runsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/',
  validateSearch: (search) => runsSearchSchema.parse(search),
  component: lazyRouteComponent(() => chunk(() => import('./runs/runs-page.tsx')), 'RunsPage'),
});

const newRunRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/new',
  validateSearch: (search) => newRunSearchSchema.parse(search),
  component: lazyRouteComponent(() => chunk(() => import('./wizard/new-run-page.tsx')), 'NewRunPage'),
});

const runRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/runs/$run',
  validateSearch: (search) => runSearchSchema.parse(search),
  component: lazyRouteComponent(() => chunk(() => import('./run/run-page.tsx')), 'RunPage'),
});

const compareRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/compare',
  validateSearch: (search) => compareSearchSchema.parse(search),
  component: lazyRouteComponent(() => chunk(() => import('./curves/compare-page.tsx')), 'ComparePage'),
});

const hostsRoute = createRoute({
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

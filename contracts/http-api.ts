/**
 * The HTTP API: every route with its method, path, inputs and answer, for the server, the web and their tests.
 *
 * Addresses are built by `addressOf`, answers are typed by `Answer<'runs'>`. An answer with a status of 400 or more is
 * a `refusalSchema` whatever the route.
 */
import type { z } from 'zod';
import type { metricsSchema } from './checkpoint.ts';
import { fileRoutes } from './http-file-routes.ts';
import { hostRoutes } from './http-host-routes.ts';
import { runRoutes } from './http-run-routes.ts';
import { serverRoutes } from './http-server-routes.ts';

export const routes = { ...serverRoutes, ...runRoutes, ...fileRoutes, ...hostRoutes };

export type Routes = typeof routes;
export type RouteName = keyof Routes;

type Part<N extends RouteName, P extends 'params' | 'query' | 'body'> =
  Routes[N] extends Record<P, infer S extends z.ZodType> ? S : never;
type InputOf<S> = [S] extends [never] ? undefined : S extends z.ZodType ? z.input<S> : undefined;

/** What a caller gives. */
export type ParamsOf<N extends RouteName> = InputOf<Part<N, 'params'>>;
export type QueryOf<N extends RouteName> = InputOf<Part<N, 'query'>>;
export type BodyOf<N extends RouteName> = InputOf<Part<N, 'body'>>;
/** What a route with a JSON answer answers. */
export type Answer<N extends RouteName> = Routes[N]['answer'] extends infer S extends z.ZodType ? z.output<S> : never;

/** Metrics of a row on a screen, for whoever draws it. */
export type ShownMetrics = z.infer<typeof metricsSchema>;

/** `addressOf('run', {run: 'a'})` is `/api/runs/a`; parts of the query that are undefined are left out. */
export function addressOf<N extends RouteName>(route: N, params: ParamsOf<N>, query?: Partial<QueryValues<N>>): string {
  const given: Readonly<Record<string, string>> = params ?? {};
  const path = routes[route].path.replace(/:([A-Za-z]+)/g, (_, part: string) => encodeURIComponent(given[part] ?? ''));
  const pairs = Object.entries(query ?? {}).filter((pair): pair is [string, string | number] => pair[1] !== undefined);
  const text = pairs.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join('&');
  return text ? `${path}?${text}` : path;
}
type QueryValues<N extends RouteName> = { [K in keyof QueryOf<N>]: string | number | undefined };

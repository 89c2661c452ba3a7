/** Calls the HTTP API with the contract's types on both sides. */

import { type Refusal, refusalSchema } from '../../../contracts/http-answers.ts';
import {
  type Answer,
  addressOf,
  type BodyOf,
  type ParamsOf,
  type QueryOf,
  type RouteName,
  routes,
} from '../../../contracts/http-api.ts';

/** The server said no, or did not answer at all (`refusal` is null). */
export class CallError extends Error {
  readonly refusal: Refusal | null;

  constructor(message: string, refusal: Refusal | null) {
    super(message);
    this.name = 'CallError';
    this.refusal = refusal;
  }
}

/** Whether it may go by itself: the server, Temporal or the workers do not answer now. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof CallError)) return false;
  const kind = error.refusal?.kind;
  return kind === undefined || kind === 'temporalAway' || kind === 'workersAway' || kind === 'tooMany';
}

type Values<N extends RouteName> = { [K in keyof QueryOf<N>]?: string | number | undefined };
type Given<Key extends string, T> = [T] extends [undefined] ? { [K in Key]?: undefined } : { [K in Key]: T };
type Request<N extends RouteName> = Given<'params', ParamsOf<N>> &
  ('body' extends keyof (typeof routes)[N] ? { body?: BodyOf<N> } : { body?: undefined }) & {
    query?: Values<N>;
    signal?: AbortSignal;
  };

export async function call<N extends RouteName>(route: N, request: Request<N>): Promise<Answer<N>> {
  const { method, answer } = routes[route];
  const address = addressOf(route, request.params as ParamsOf<N>, request.query as never);
  const body = method === 'GET' ? null : JSON.stringify(request.body ?? {});
  let response: Response;
  try {
    response = await fetch(address, {
      method,
      credentials: 'same-origin',
      ...(body === null ? {} : { body, headers: { 'content-type': 'application/json' } }),
      ...(request.signal ? { signal: request.signal } : {}),
    });
  } catch (error) {
    if (
      request.signal?.aborted &&
      !(request.signal.reason instanceof DOMException && request.signal.reason.name === 'TimeoutError')
    )
      throw error;
    throw new CallError('The Epochal server does not answer.', null);
  }
  const told: unknown = await response.json().catch(() => null);
  if (!response.ok) throw refused(response.status, told);
  if (typeof answer === 'string') throw new Error(`${route} does not answer JSON`);
  const parsed = answer.safeParse(told);
  if (!parsed.success) {
    throw new CallError('This page and the server are of different versions. Reload the page.', {
      kind: 'internal',
      message: parsed.error.message,
      problems: [],
    });
  }
  // The schema is the route's own, which TypeScript cannot follow through the index.
  return parsed.data as Answer<N>;
}

function refused(status: number, told: unknown): CallError {
  const refusal = refusalSchema.safeParse(told);
  if (refusal.success) return new CallError(refusal.data.message, refusal.data);
  // Not our server: a proxy before it, while it is away.
  return new CallError(`The Epochal server does not answer (HTTP ${status}).`, null);
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

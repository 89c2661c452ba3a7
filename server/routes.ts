/** Registers a route of the contract: its inputs come checked, its answer is checked before it goes. */
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify';
import { z } from 'zod';
import { problemsOf } from '../contracts/config-problems.ts';
import { refusalSchema } from '../contracts/http-answers.ts';
import { type RouteName, type Routes, routes } from '../contracts/http-api.ts';
import type { Action } from '../contracts/http-route.ts';
import { invalidInput } from './refusals.ts';

type Part<N extends RouteName, P extends 'params' | 'query' | 'body'> =
  Routes[N] extends Record<P, infer S extends z.ZodType> ? z.output<S> : undefined;
type AnswerOf<N extends RouteName> = Routes[N]['answer'] extends infer S extends z.ZodType ? z.output<S> : FastifyReply;

export interface Asked<N extends RouteName> {
  params: Part<N, 'params'>;
  query: Part<N, 'query'>;
  body: Part<N, 'body'>;
  request: FastifyRequest;
  reply: FastifyReply;
}

export type Handle = <N extends RouteName>(
  route: N,
  answer: (asked: Asked<N>) => Promise<AnswerOf<N>> | AnswerOf<N>,
) => void;

/** Tells the hooks which routes are open without a token, which are the web's, and what others do. What says nothing is closed. */
declare module 'fastify' {
  interface FastifyContextConfig {
    open?: boolean;
    web?: boolean;
    /** Also for who has the token that is for nothing else. */
    scrapers?: boolean;
    action?: Action;
  }
}

export function routesOf(app: FastifyInstance): Handle {
  return (route, answer) => {
    const definition: (typeof routes)[RouteName] = routes[route];
    app.route({
      method: definition.method,
      url: definition.path,
      schema: schemaOf(route),
      config: 'open' in definition ? { open: true } : { action: definition.action },
      handler: async (request, reply) => {
        const { params, query, body } = request;
        const answered = await answer({ params, query, body, request, reply } as Asked<typeof route>);
        if ('status' in definition) reply.code(definition.status);
        return answered;
      },
    });
  };
}

const refusals = { '4xx': refusalSchema, '5xx': refusalSchema };

function schemaOf(route: RouteName): FastifySchema {
  const definition = routes[route];
  const answer = definition.answer;
  const bytes = typeof answer === 'string';
  return {
    operationId: route,
    summary: definition.summary,
    tags: [definition.tag],
    ...('params' in definition ? { params: definition.params } : {}),
    ...('query' in definition ? { querystring: definition.query } : {}),
    ...('body' in definition ? { body: definition.body } : {}),
    ...('open' in definition ? { security: [] } : {}),
    response: { ...(bytes ? {} : { ['status' in definition ? definition.status : 200]: answer }), ...refusals },
  };
}

/** For fastify: inputs by zod, and what is wrong with them as problems with field, value and what is allowed. */
export function validateBy({ schema, httpPart }: { schema: unknown; httpPart?: string }) {
  return (data: unknown) => {
    if (!(schema instanceof z.ZodType)) return { value: data };
    const input = data ?? undefined;
    // A number that is left empty would be read as 0.
    const empty = httpPart === 'querystring' ? Object.entries(input ?? {}).filter(([, value]) => value === '') : [];
    if (empty.length > 0) {
      return {
        error: invalidInput(
          empty.map(([field]) => ({ field, value: '""', message: 'must not be empty; leave it out' })),
        ),
      };
    }
    const parsed = schema.safeParse(input);
    return parsed.success ? { value: parsed.data } : { error: invalidInput(problemsOf(parsed.error, input, schema)) };
  };
}

/** For fastify: an answer that is not what the contract says is a defect, and is not sent. */
export function serializeBy({ schema }: { schema: unknown }) {
  return (data: unknown): string => JSON.stringify(schema instanceof z.ZodType ? schema.parse(data) : data);
}

/** Methods that the contract has at an address; none where it has no such address. */
export function methodsAt(path: string): string[] {
  const parts = path.split('/');
  const methods = Object.values(routes).flatMap((route) => {
    const pattern = route.path.split('/');
    const fits =
      pattern.length === parts.length && pattern.every((part, index) => part.startsWith(':') || part === parts[index]);
    return fits ? (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]) : [];
  });
  return [...new Set(methods)];
}

/** The API's description, made from the routes of the contract, at /api/docs. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifySchema } from 'fastify';
import { z } from 'zod';
import { refusalSchema } from '../contracts/http-answers.ts';
import { type RouteName, routes } from '../contracts/http-api.ts';
import type { Access } from './access.ts';

type Json = z.core.util.JSONType;

export async function describeApi(app: FastifyInstance, version: string, access: Access): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Epochal',
        version,
        description:
          'Runs: start, watch, stop, and download the results. A refusal has the same form on every route: kind, message, problems.',
      },
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer' },
          cookie: { type: 'apiKey', in: 'cookie', name: access.cookieName },
        },
      },
      ...(access.tokenRequired ? { security: [{ token: [] }, { cookie: [] }] } : {}),
    },
    transformObject: (document) =>
      'openapiObject' in document ? withOptionalBodies(document.openapiObject) : document.swaggerObject,
    transform: ({ schema, url }) => ({ schema: schema ? described(schema) : { hide: true }, url }),
  });
  // The page is the package's own files; the policy of the server allows no other script.
  await app.register(swaggerUi, {
    routePrefix: '/api/docs',
    staticCSP: false,
    uiConfig: { docExpansion: 'list', tryItOutEnabled: false },
  });
}

function described(schema: FastifySchema): FastifySchema {
  const route = Object.keys(routes).find((name): name is RouteName => name === schema.operationId);
  if (route === undefined) return { ...schema, hide: true };
  const { params, querystring, body, response: _, ...rest } = schema;
  return {
    ...rest,
    ...(params ? { params: input(params) } : {}),
    ...(querystring ? { querystring: input(querystring) } : {}),
    ...(body ? { body: input(body) } : {}),
    response: responses(route),
  };
}

/** A body that may be left out altogether is said to be required, otherwise. */
function withOptionalBodies<D extends { paths?: Record<string, unknown> }>(document: D): D {
  const operationSchema = z.looseObject({ operationId: z.string(), requestBody: z.looseObject({}).optional() });
  for (const path of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(path ?? {})) {
      const parsed = operationSchema.safeParse(operation);
      const route = Object.entries(routes).find(([name]) => name === parsed.data?.operationId)?.[1];
      if (!route || !('body' in route) || !route.body.safeParse(undefined).success) continue;
      Reflect.set(Reflect.get(operation, 'requestBody'), 'required', false);
    }
  }
  return document;
}

function responses(route: RouteName): Record<string, unknown> {
  const { answer, ...definition } = routes[route];
  const refusal = { description: 'Refused', content: { 'application/json': { schema: output(refusalSchema) } } };
  const answered = (): Record<string, unknown> => {
    if (answer === 'events') return { 'text/event-stream': { schema: { type: 'string' } } };
    if (answer === 'bytes') return { '*/*': { schema: {} } };
    return { 'application/json': { schema: output(answer) } };
  };
  const status = 'status' in definition ? definition.status : 200;
  const whole = { description: definition.summary, content: answered() };
  return {
    [status]: whole,
    ...(answer === 'bytes' ? { 206: { ...whole, description: 'The range that was asked for' } } : {}),
    '4XX': refusal,
    '5XX': refusal,
  };
}

const input = (schema: unknown): Json => jsonSchema(schema, 'input');
const output = (schema: unknown): Json => jsonSchema(schema, 'output');

function jsonSchema(schema: unknown, io: 'input' | 'output'): Json {
  if (!(schema instanceof z.ZodType)) return {};
  const { $schema: _, $defs: __, ...made } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return withoutReferences(z.json().parse(made));
}

/** What refers to itself is any JSON, here: a reference would point to nowhere in this document. */
function withoutReferences(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutReferences);
  if (typeof value !== 'object' || value === null) return value;
  if (typeof value.$ref === 'string') return {};
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, withoutReferences(part)]));
}

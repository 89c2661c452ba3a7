/** The API's description, made from the routes, at /api/docs. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';

export async function describeApi(app: FastifyInstance, version: string, tokenRequired: boolean): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Epochal',
        version,
        description:
          'Trainings: start, watch, stop, and take the results. Refusals of every route have one form: kind, message, problems.',
      },
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer' },
          cookie: { type: 'apiKey', in: 'cookie', name: 'epochal' },
        },
      },
      ...(tokenRequired ? { security: [{ token: [] }, { cookie: [] }] } : {}),
    },
    transform: jsonSchemaTransform,
  });
  // The page is served from the package itself; the policy of the server allows no other script.
  await app.register(swaggerUi, {
    routePrefix: '/api/docs',
    staticCSP: false,
    uiConfig: { docExpansion: 'list', tryItOutEnabled: false },
  });
}

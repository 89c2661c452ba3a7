/** The built web: read from `web/dist`, its hashed files cached for good, its pages never. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { RefusedError } from './refusals.ts';

/** Every address that is none of the API is a page of the web, which finds its own way from there. */
export async function serveWeb(app: FastifyInstance, folder: string): Promise<void> {
  // In a scope of its own: only what is registered here is open as the web.
  await app.register(async (web) => webOf(web, folder));
}

async function webOf(app: FastifyInstance, folder: string): Promise<void> {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, web: true };
  });
  const isBuilt = existsSync(join(folder, 'index.html'));
  if (isBuilt) {
    await app.register(fastifyStatic, {
      root: folder,
      wildcard: true,
      index: ['index.html'],
      preCompressed: true,
      cacheControl: false,
      setHeaders: (reply, path) => {
        const isHashed = path.startsWith(join(folder, 'assets'));
        reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
      },
    });
  }
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const isPage =
      request.method === 'GET' && !path.startsWith('/api/') && path !== '/api' && !/\.[a-z0-9]{1,5}$/i.test(path);
    if (isPage && isBuilt) return reply.header('cache-control', 'no-cache').sendFile('index.html');
    if (isPage)
      throw new RefusedError(
        'notFound',
        'the web is not built; "epochal up" builds it, and the API is described at /api/docs',
      );
    throw new RefusedError('notFound', `there is nothing at ${request.method} ${path.slice(0, 200)}`);
  });
}

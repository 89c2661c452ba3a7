/** The HTTP server, put together: checks first, then routes, then the web. */
import type { Socket } from 'node:net';
import { join } from 'node:path';
import fastifyHelmet from '@fastify/helmet';
import fastifyRateLimit from '@fastify/rate-limit';
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify';
import type { Logger } from 'pino';
import { version } from '../client/version.ts';
import { Access, type WrongGuesses } from './access.ts';
import { configRoutes } from './config-routes.ts';
import { dataSetRoutes } from './data-set-routes.ts';
import { fileRoutes } from './file-routes.ts';
import { hostRoutes } from './host-routes.ts';
import { HostsSeen } from './hosts-seen.ts';
import { isDeeper } from './json-depth.ts';
import { type Exposed, serveMetrics } from './metrics.ts';
import { describeApi } from './openapi.ts';
import { invalidInput, RefusedError, refusalOf } from './refusals.ts';
import { methodsAt, routesOf, serializeBy, validateBy } from './routes.ts';
import { RunIndex } from './run-index/run-index.ts';
import { runRoutes } from './run-routes.ts';
import { RunWatches } from './run-watches.ts';
import { serverRoutes } from './server-routes.ts';
import type { ServerSettings } from './settings.ts';
import type { TemporalLink } from './temporal-link.ts';
import { serveWeb } from './web-files.ts';

const largestBody = 1024 * 1024;
/** Objects and lists within each other. */
const deepestBody = 64;
const requestMs = 60_000;
/** Wrong guesses of a token, per minute and address. */
const guessesPerMinute = 20;

export interface AppParts {
  settings: ServerSettings;
  /** Null: none is asked for. */
  token: string | null;
  /** Contents of certificate and key. */
  tls: { cert: Buffer; key: Buffer } | null;
  link: TemporalLink;
  log: Logger;
  /** The built web. */
  webFolder: string;
  /** What this process counts beside what it asks Temporal, for Prometheus. */
  counted?: readonly Exposed[];
}

export interface App {
  server: FastifyInstance;
  access: Access;
  watches: RunWatches;
}

export async function createApp(parts: AppParts): Promise<App> {
  const { settings, token, tls, link, log, webFolder, counted = [] } = parts;
  const app: FastifyInstance = fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    https: tls === null ? null : { ...tls, minVersion: 'TLSv1.2' },
    bodyLimit: largestBody,
    // Until all of a request is there: nobody keeps a connection by sending a byte now and then.
    requestTimeout: requestMs,
    // An address is matched as it is written: no second spelling of a path goes past a check.
    routerOptions: { maxParamLength: 200, caseSensitive: true, ignoreDuplicateSlashes: false },
    trustProxy: (_, hop) => hop < settings.proxies,
    clientErrorHandler: refuseUnread,
    // Open streams must not hold up the end.
    forceCloseConnections: true,
  });
  app.decorateRequest('principal', null);
  app.setValidatorCompiler(validateBy);
  app.setSerializerCompiler(serializeBy);
  app.setErrorHandler((error, request, reply) => {
    const { status, refusal } = refusalOf(error);
    if (refusal.kind === 'internal')
      request.log.error({ err: error, route: request.routeOptions.url }, 'a request failed');
    else request.log.debug({ route: request.routeOptions.url, kind: refusal.kind }, refusal.message);
    if (refusal.kind === 'unauthorized') reply.header('www-authenticate', 'Bearer realm="epochal"');
    if (refusal.kind === 'temporalAway' || refusal.kind === 'workersAway') reply.header('retry-after', 2);
    return reply
      .code(chosenStatus(error) ?? status)
      .header('content-type', 'application/json; charset=utf-8')
      .header('cache-control', 'no-store')
      .serializer((payload: unknown) => JSON.stringify(payload))
      .send(refusal);
  });

  await app.register(fastifyHelmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        // Component libraries set styles of elements while they run; a style cannot act.
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:', 'blob:'],
        fontSrc: ["'self'", 'data:'],
        connectSrc: ["'self'"],
        workerSrc: ["'self'", 'blob:'],
        manifestSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        objectSrc: ["'none'"],
      },
    },
    crossOriginEmbedderPolicy: false,
    referrerPolicy: { policy: 'no-referrer' },
    // Whether it is reached by https is a matter of the proxy before it.
    strictTransportSecurity: false,
  });
  await app.register(fastifyRateLimit, {
    // By a hook of ours, below: theirs belong to the routes, and would come after the token was asked for.
    global: false,
    max: settings.requestsPerMinute,
    timeWindow: '1 minute',
    errorResponseBuilder: (_, { ttl }) =>
      new RefusedError('tooMany', `too many requests: try again in ${Math.ceil(ttl / 1000)} s`),
  });
  const access = new Access(settings, token, wrongGuesses(app));
  app.addHook('onRequest', async (request) => {
    access.requireSameSite(request);
  });
  // Whoever is signed in is counted alone: others at the same address, behind one proxy or on one machine, use up nothing of theirs.
  const limitAddress = app.rateLimit();
  const limitSession = app.rateLimit({ keyGenerator: async (request) => (await access.sessionOf(request))?.id ?? '' });
  app.addHook('onRequest', async (request, reply) => {
    const limit = (await access.sessionOf(request)) === null ? limitAddress : limitSession;
    await limit.call(app, request, reply);
  });
  app.addHook('onRequest', async (request, reply) => {
    // The route that was matched decides: an address has more spellings (percent-encoded, with a scheme before it) than a check of
    // its text knows. The web itself holds nothing, and asks for the token; where there is no route there is nothing to guard.
    const { open, web, scrapers } = request.routeOptions.config;
    const isWeb = (web === true || request.is404) && !request.url.startsWith('/api');
    if (!isWeb && !reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
    if (open !== true && !isWeb) {
      request.principal = await access.principalOf(request, { scrapers: scrapers === true });
      if (request.principal === null) throw new RefusedError('unauthorized', 'this server asks for its token');
    }
    const methods = methodsAt(request.url.split('?')[0] ?? '');
    if (methods.length > 0 && !methods.includes(request.method)) {
      reply.header('allow', methods.join(', '));
      const refused = new RefusedError(
        'notFound',
        `${request.method} is not supported here, only ${methods.join(', ')}`,
      );
      throw Object.assign(refused, { statusCode: 405 });
    }
  });
  // To the validators of fastify, a body that is JSON's null and one that is not there are the same.
  app.addHook('preValidation', async (request) => {
    if (request.body === null) throw invalidInput([{ field: 'body', value: 'null', message: 'must be an object' }]);
    // What checks it, and what writes it again, calls itself once for each level.
    if (isDeeper(request.body, deepestBody)) {
      const message = `must have at most ${deepestBody} objects and lists within each other`;
      throw invalidInput([{ field: 'body', value: 'not shown', message }]);
    }
  });
  app.addHook('onResponse', async (request, reply) => {
    // Without the query: a path is enough to see what is slow.
    const about = {
      method: request.method,
      route: request.routeOptions.url,
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
    };
    const { action } = request.routeOptions.config;
    if (action === undefined || action === 'see') {
      request.log.debug(about, 'answered');
      return;
    }
    // Who stopped a run at night is told by the log.
    const { run } = request.params as { run?: string };
    request.log.info({ ...about, action, run, by: request.principal, from: request.ip }, 'asked for a change');
  });
  await describeApi(app, version, access);
  const watches = new RunWatches(link, app.log);
  const hosts = new HostsSeen(settings.workflowQueue);
  const handle = routesOf(app);
  serverRoutes(handle, { link, hosts, access, settings });
  const index = new RunIndex(join(settings.dataFolder, 'run-index.jsonl'));
  runRoutes(handle, { link, watches, access, index });
  configRoutes(handle, link, settings.defaultPool);
  fileRoutes(handle, link);
  hostRoutes(handle, link, hosts);
  dataSetRoutes(handle, link, hosts, settings.defaultPool);
  serveMetrics(app, { link, hosts, defaultPool: settings.defaultPool, counted });
  await serveWeb(app, webFolder);
  app.addHook('preClose', async () => {
    index.close();
    await watches.close();
  });
  return { server: app, access, watches };
}

/** By the plugin's own counter: read before a guess is looked at, counted when it was wrong. */
function wrongGuesses(app: FastifyInstance): WrongGuesses {
  const limit = app.createRateLimit({ max: guessesPerMinute - 1, timeWindow: '1 minute' });
  return {
    wait: async (request) => {
      const seen = await limit(request, { increment: false });
      return !seen.isAllowed && seen.isExceeded ? seen.ttlInSeconds : null;
    },
    count: async (request) => {
      await limit(request);
    },
  };
}

/** What is no HTTP that can be read, or has headers without end, gets no route. */
function refuseUnread(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return;
  const isLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const status = isLarge ? '431 Request Header Fields Too Large' : '400 Bad Request';
  const message = isLarge
    ? 'the address and headers are too long: at most 16 kB are accepted'
    : 'this is not an HTTP request';
  const body = JSON.stringify({ kind: isLarge ? 'tooLarge' : 'invalid', message, problems: [] });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

const chosenStatus = (error: unknown): number | null =>
  error instanceof RefusedError && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : null;

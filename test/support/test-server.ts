/** A real HTTP server for a test, on the test's own host. */

import { Client, Connection } from '@temporalio/client';
import { inject } from 'vitest';
import type { Connected } from '../../client/connect.ts';
import { lastingConnection } from '../../client/lasting-connection.ts';
import {
  type Answer,
  addressOf,
  type BodyOf,
  type ParamsOf,
  type QueryOf,
  type RouteName,
  routes,
} from '../../contracts/http-api.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../server/main.ts';
import type { ServerSettings } from '../../server/settings.ts';
import { type TestHost, testLog } from './test-host.ts';

export const testServerSettings = (
  host: Pick<TestHost, 'settings'>,
  settings: Partial<ServerSettings> = {},
): ServerSettings => ({
  address: '127.0.0.1',
  port: 0,
  token: { kind: 'none' },
  metricsToken: null,
  tls: null,
  dataFolder: host.settings.dataFolder,
  hostNames: [],
  proxies: 0,
  requestsPerMinute: 1_000_000,
  workflowQueue: host.settings.workflowQueue,
  defaultPool: host.settings.pool,
  logLevel: 'silent',
  ...settings,
});

export async function connectTo(address: string): Promise<Connected> {
  const connection = await Connection.connect({
    address,
    connectTimeout: 2_000,
    ...lastingConnection,
  });
  const ui = 'http://127.0.0.1:8233';
  return {
    client: new Client({ connection }),
    address,
    namespace: 'default',
    ui,
    isConfigured: true,
    close: () => connection.close(),
  };
}

export interface Answered<N extends RouteName> {
  status: number;
  headers: Headers;
  body: Answer<N>;
  text: string;
}

export class TestServer {
  private constructor(readonly running: RunningServer) {}

  static async start(
    host: Pick<TestHost, 'settings'>,
    {
      settings,
      connect,
      webFolder,
      counted = [],
    }: {
      settings?: Partial<ServerSettings>;
      connect?: () => Promise<Connected>;
      webFolder?: string;
      counted?: NonNullable<ServerOptions['counted']>;
    } = {},
  ): Promise<TestServer> {
    const running = await startServer({
      settings: testServerSettings(host, settings),
      log: testLog(),
      connect: connect ?? (() => connectTo(inject('temporalAddress'))),
      counted,
      ...(webFolder === undefined ? {} : { webFolder }),
    });
    return new TestServer(running);
  }

  get address(): string {
    return this.running.address;
  }

  /** The answer as it is, whatever the status. */
  async ask<N extends RouteName>(
    route: N,
    {
      params,
      query,
      body,
      headers = {},
    }: { params?: ParamsOf<N>; query?: QueryOf<N>; body?: BodyOf<N>; headers?: Record<string, string> } = {},
  ): Promise<Answered<N>> {
    const path = addressOf(route, params as ParamsOf<N>, query as never);
    return this.send(routes[route].method, path, body, headers);
  }

  async send<N extends RouteName>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answered<N>> {
    const response = await fetch(`${this.address}${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') ?? false;
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson ? JSON.parse(text) : (undefined as never),
    };
  }

  stop(): Promise<void> {
    return this.running.stop();
  }
}

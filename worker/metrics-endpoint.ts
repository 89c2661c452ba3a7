/** `GET /metrics` of a worker, which has no other port. It asks nobody who they are: it listens on the loopback, unless told otherwise. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { type ListenAddress, shownAddress } from '../contracts/listen-address.ts';

/** In the text format of Prometheus. */
export type Exposed = () => Promise<string>;

export interface MetricsEndpoint {
  /** `http://127.0.0.1:9464/metrics` */
  address: string;
  close(): Promise<void>;
}

/** Throws where it cannot listen. */
export async function exposeMetrics(
  { host, port }: ListenAddress,
  sources: readonly Exposed[],
): Promise<MetricsEndpoint> {
  const server = createServer(async (request, response) => {
    const isAsked = request.url?.split('?')[0] === '/metrics' && ['GET', 'HEAD'].includes(request.method ?? '');
    if (!isAsked) return response.writeHead(404).end();
    try {
      const text = (await Promise.all(sources.map((source) => source()))).join('\n');
      return response.writeHead(200, { 'content-type': Registry.PROMETHEUS_CONTENT_TYPE }).end(text);
    } catch {
      return response.writeHead(500).end();
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  }).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`EPOCHAL_METRICS_ADDRESS: cannot listen on ${host}:${port} (${error.code ?? error.message})`);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    address: `http://${shownAddress({ host, port: bound })}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

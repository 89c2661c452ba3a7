import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection, type ConnectionOptions } from '@temporalio/client';
import { expect, inject, it } from 'vitest';
import { lastingConnection } from '../../client/lasting-connection.ts';
import { startTemporalServer } from '../../launch/temporal-server.ts';
import { until } from '../support/until.ts';

it('a connection that is closed while a call waits to be tried again ends the call, and nothing else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-server-'));
  const server = await startTemporalServer({
    binary: inject('temporalBinary'),
    logFile: join(folder, 'temporal.log'),
    ui: false,
  });
  try {
    let attempts = 0;
    const interceptors: ConnectionOptions['interceptors'] = [
      ...lastingConnection.interceptors,
      (options, nextCall) => {
        attempts++;
        return nextCall(options) as never;
      },
    ];
    const connection = await Connection.connect({ address: server.address, interceptors });
    await connection.workflowService.getSystemInfo({});
    await server.stop();
    attempts = 0;
    const calls = Array.from({ length: 20 }, () => connection.workflowService.getSystemInfo({}));
    const ends = Promise.allSettled(calls);
    await until('each was tried again', () => attempts > 2 * calls.length);
    await connection.close();
    for (const end of await ends) expect(end.status).toBe('rejected');
    await expect(connection.workflowService.getSystemInfo({})).rejects.toThrow();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

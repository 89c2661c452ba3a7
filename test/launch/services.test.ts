/** A signal to go down is heard while what was asked for is still starting. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, inject, it, vi } from 'vitest';
import { workflowQueueNow } from '../../client/workflow-pollers.ts';
import { runWorker } from '../../launch/services.ts';
import { workflowBundle } from '../../server/workflows/workflow-bundle.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-services-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

/** Sends SIGTERM to whoever listens for it next, and to nobody else in this process. */
function signalTheNext(): void {
  const onNew = (event: string | symbol, listener: (...args: unknown[]) => void) => {
    if (event !== 'SIGTERM') return;
    process.off('newListener', onNew);
    queueMicrotask(() => listener('SIGTERM'));
  };
  process.on('newListener', onNew);
}

it('epochal worker --with-control takes over no workflows once it is to go down', async () => {
  const queue = `workflows-${Date.now()}`;
  const variables = { DATA_DIR: folder, WORKFLOW_QUEUE: queue, POOL: queue };
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(`EPOCHAL_${name}`, value);
  vi.stubEnv('TEMPORAL_ADDRESS', inject('temporalAddress'));
  signalTheNext();
  expect(await runWorker({ withControl: true })).toBe(0);
  const connection = await Connection.connect({ address: inject('temporalAddress') });
  const { current, pollers } = await workflowQueueNow(connection, 'default', queue);
  await connection.close();
  expect({ current, pollers }).toEqual({ current: null, pollers: [] });
});

it('nobody waits for a bundle of the workflows that is no longer wanted', async () => {
  const gone = new AbortController();
  const bundling = workflowBundle(folder, pino({ level: 'silent' }), gone.signal);
  gone.abort(new Error('SIGINT'));
  await expect(bundling).rejects.toThrow(/^SIGINT$/);
  expect(existsSync(join(folder, 'workflows'))).toBe(true);
});

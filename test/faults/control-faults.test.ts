/** Servers and workers apart: what serves the workflows goes away and comes back, while the workers are there. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { homedir, platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cacheFolder } from '../../contracts/folders.ts';
import { until } from '../support/until.ts';
import { checkLanded } from './check-landed.ts';
import { FaultHosts, type FaultWorker } from './fault-host.ts';
import { FaultServer } from './fault-server.ts';

const entry = fileURLToPath(new URL('./server-process.ts', import.meta.url));

let temporal: FaultServer;
let hosts: FaultHosts;
let worker: FaultWorker;
let server: ChildProcess | null = null;
beforeAll(async () => {
  temporal = await FaultServer.start(await mkdtemp(join(tmpdir(), 'epochal-fault-server-')));
  hosts = await FaultHosts.open(temporal.address);
  worker = await hosts.worker({ env: { EPOCHAL_TEST_CONTROL: 'no' } });
});
afterAll(async () => {
  if (server) await end(server, 'SIGKILL');
  await hosts?.close();
  await temporal?.stop();
});

/** Starts `epochal server`, without waiting for it to serve. */
function startServer(): ChildProcess {
  const log = openSync(join(hosts.folder, 'server.log'), 'a');
  const child = spawn(process.execPath, ['--import', 'tsx', entry], {
    env: {
      ...process.env,
      TEMPORAL_ADDRESS: temporal.address,
      EPOCHAL_DATA_DIR: join(hosts.folder, 'server'),
      EPOCHAL_CACHE_DIR: cacheFolder({ env: process.env, platform: platform(), home: homedir() }),
      EPOCHAL_SERVER_PORT: '0',
      EPOCHAL_WORKFLOW_QUEUE: hosts.workflowQueue,
    },
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

it('the server is killed and comes back: trainers train on through their grant, and runs end as they would have', async () => {
  const hold = await hosts.hold('2:6');
  const run = await hosts.start({
    epochs: 4,
    parameters: { batches: 20, batch_seconds: 0.05, ...hold.parameters },
    deadlines: { heartbeatSeconds: 600 },
  });
  const says = async (text: string) => (await readFile(worker.log, 'utf8')).includes(text);
  await until('its worker says that nobody serves it', () => says('no server serves workflows'));
  server = startServer();
  await hold.reached();
  // Whoever tells of the second epoch has granted it and the next.
  await run.until('has its first epoch', ({ position }) => position.epoch === 1);
  await run.reaches(2, 1);
  const trainer = await run.trainer(worker);
  await end(server, 'SIGKILL');
  await hold.release();
  await until('it has trained what it was granted', () => run.hasOnDisk(worker, 'epoch-0003'));
  server = startServer();
  const { receipt, violations } = await checkLanded(run);
  expect(violations).toEqual([]);
  expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 80, wasted: 0 }, restarts: [] });
  expect(run.trainers).toEqual([trainer]);
  await until('its worker says that it is served', () => says('workflows are served again'));
  const last = server;
  server = null;
  await end(last, 'SIGTERM');
  expect(last.exitCode).toBe(0);
});

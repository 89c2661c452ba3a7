/** The network between a worker and the server is cut, and healed: the worker lives in a network namespace of its own. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { WorkflowNotFoundError } from '@temporalio/client';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { salvageId } from '../../contracts/salvage-messages.ts';
import { contentOf } from '../support/content-of.ts';
import { until } from '../support/until.ts';
import { checkLanded } from './check-landed.ts';
import { FaultHosts, type FaultWorker, readJson } from './fault-host.ts';
import type { FaultRun } from './fault-run.ts';
import { can } from './machine-abilities.ts';

const namespace = `epochal-${process.pid}`;
const [outside, inside] = [`ep${process.pid}o`, `ep${process.pid}i`];
// Of this process: another run of these tests, or what one that was killed has left, has addresses of its own.
const [outsideAddress, insideAddress] = [1, 2].map((end) => `10.213.${process.pid % 250}.${end}`);
const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' });

let hosts: FaultHosts;
let relay: Server | undefined;
beforeEach(async () => {
  if (!can('namespaces')) return;
  hosts = await FaultHosts.open(inject('temporalAddress'));
  ip('netns', 'add', namespace);
  ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside);
  ip('link', 'set', inside, 'netns', namespace);
  ip('addr', 'add', `${outsideAddress}/24`, 'dev', outside);
  ip('link', 'set', outside, 'up');
  ip('-n', namespace, 'addr', 'add', `${insideAddress}/24`, 'dev', inside);
  ip('-n', namespace, 'link', 'set', inside, 'up');
  ip('-n', namespace, 'link', 'set', 'lo', 'up');
  relay = await relayTo(inject('temporalAddress'));
});
afterEach(async () => {
  await hosts?.close();
  relay?.close();
  if (!can('namespaces')) return;
  // The kernel takes a namespace and its interfaces down some time after the command.
  ip('link', 'del', outside);
  ip('netns', 'del', namespace);
});

/** The server listens on the loopback alone: this carries the worker's connections to it. */
async function relayTo(address: string): Promise<Server> {
  const [host = '', port = ''] = address.split(':');
  const server = createServer((near: Socket) => {
    const far = connect(Number(port), host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
  });
  server.listen(0, outsideAddress);
  await once(server, 'listening');
  return server;
}

const remoteWorker = (): Promise<FaultWorker> => {
  const address = relay?.address();
  if (!address || typeof address === 'string') throw new Error('there is no relay');
  return hosts.worker({
    prefix: ['ip', 'netns', 'exec', namespace],
    address: `${outsideAddress}:${address.port}`,
  });
};
const cut = () => ip('link', 'set', outside, 'down');
const heal = () => ip('link', 'set', outside, 'up');
const slow = { batches: 40, batch_seconds: 0.05 };

/** A run of 320 batches whose worker is cut off once the store has something of it, and another worker. */
async function cutOffForLong() {
  const worker = await remoteWorker();
  const run = await hosts.start({ epochs: 8, parameters: slow, deadlines: { heartbeatSeconds: 3 } });
  await run.until('has an epoch in the store', ({ checkpoints }) => checkpoints.some(({ stored }) => stored));
  await run.trainer(worker);
  cut();
  return { worker, run, other: await hosts.worker() };
}

describe.skipIf(!can('namespaces'))('a network cut between a worker and the server', () => {
  it('and healed within the heartbeat timeout: the trainer went on, and nothing is wasted', async () => {
    const worker = await remoteWorker();
    const run = await hosts.start({ epochs: 3, parameters: slow, deadlines: { heartbeatSeconds: 120 } });
    await run.reaches(1, 5);
    const trainer = await run.trainer(worker);
    cut();
    // The trainer keeps training through what it was granted, with nobody listening.
    await until('its second epoch is on disk', () => run.hasOnDisk(worker, 'epoch-0002'));
    heal();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 120, wasted: 0 }, restarts: [] });
    expect(run.trainers).toEqual([trainer]);
  });

  it('for longer: another worker goes on from the store, and the one that was cut off cleans up when it is back', async () => {
    const { worker, run, other } = await cutOffForLong();
    await run.until('goes on elsewhere', ({ session }) => session?.host === other.host);
    await run.trainer(other);
    heal();
    const { receipt } = await run.closed();
    await expectNothingOver(run, worker, await contentOf(run.outputFolder));
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 320 } });
  });

  it('until its run has landed elsewhere: the one that was cut off puts nothing over it', async () => {
    const { worker, run, other } = await cutOffForLong();
    const { receipt } = await run.closed();
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 320 } });
    expect(await readJson(join(worker.runFolder(run.id), 'run.json'))).toMatchObject({ host: worker.host });
    const landed = await contentOf(run.outputFolder);
    heal();
    await expectNothingOver(run, worker, landed);
    expect(other.isAlive).toBe(true);
    // Its trainer was ended without anybody being asked to publish what it left.
    const salvage = hosts.client.workflow.getHandle(salvageId(run.id)).describe();
    await expect(salvage).rejects.toBeInstanceOf(WorkflowNotFoundError);
  });
});

/** Once the host that was cut off is clean, the store is what it was before, byte for byte, and all else is as after any run. */
async function expectNothingOver(run: FaultRun, cutOff: FaultWorker, landed: Record<string, string>): Promise<void> {
  await until('its slot is free', async () => (await cutOff.status()).slots.taken.length === 0);
  await until('its folder is gone', () => !existsSync(cutOff.runFolder(run.id)));
  const { violations } = await checkLanded(run);
  expect(violations).toEqual([]);
  expect(await contentOf(run.outputFolder)).toEqual(landed);
}

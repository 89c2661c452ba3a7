/**
 * The chart in a cluster, as docs/production.md has it: a real node, the image of the real Dockerfile, helm itself. One release for all of it, in this
 * order. What the API answers is asked from outside the cluster.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { receiptSchema } from '../../contracts/receipt.ts';
import { ensureTemporalBinary } from '../../launch/temporal-binary.ts';
import { helmProgram } from '../charts/programs.ts';
import { buildImage, buildNewer, image } from '../containers/image.ts';
import { freePort } from '../containers/stack.ts';
import { until } from '../support/until.ts';
import { KubernetesNode } from './node.ts';
import { hostAddress, nodeName } from './node-files.ts';
import { makeKubernetes } from './programs.ts';
import { Release } from './release.ts';
import { Started } from './started.ts';
import { makeVolumes, storeFolder } from './volumes.ts';

const anHour = { timeout: 3_600_000 };
/** Some 40 batches an epoch, of a fifth of a second. */
const slow = { parameters: { batch_size: 32, batch_delay_seconds: 0.2 } };
const newer = 'test-newer';

let node: KubernetesNode;
let temporal: Started;
let release: Release;
/** Each run that was ended, with its outcome. */
const ended = new Map<string, string>();

beforeAll(async () => {
  await makeKubernetes();
  await helmProgram();
  await buildImage();
  await buildNewer(`epochal:${newer}`);
  node = await KubernetesNode.start();
  for (const one of [image, `epochal:${newer}`]) await node.take(one);
  const { path } = await ensureTemporalBinary();
  const port = await freePort();
  // Outside of the cluster, as Temporal Cloud is.
  const args = ['server', 'start-dev', '--headless', '--ip', '0.0.0.0', '--port', String(port), '--log-level', 'warn'];
  temporal = await Started.program(path, args, node.logs);
  await makeVolumes(node, 2);
  release = new Release(node, `${hostAddress}:${port}`);
}, anHour.timeout);

afterAll(async () => {
  await temporal?.end();
  await node?.stop();
}, anHour.timeout);

/** Checks how it ended, that nothing was trained in vain, and that nothing but preemptions interrupted it. */
async function landed(run: string, outcome: string) {
  const { summary } = await release.api.run(run, 'is stopped', ({ summary }) => summary.state === 'stopped', 900);
  expect(summary.outcome, run).toBe(outcome);
  const receipt = receiptSchema.parse(await release.api.call(`/api/runs/${run}/file?path=receipt.json`));
  expect(receipt.batches.wasted, run).toBe(0);
  expect(receipt.restarts.filter(({ reason }) => reason !== 'preemption')).toEqual([]);
  ended.set(run, outcome);
  return receipt;
}

const hostOf = async (run: string) =>
  (await release.api.run(run, 'has a session', ({ view }) => Boolean(view?.session))).view?.session?.host ?? '';

/** Trains on, two epochs beyond where it was. */
async function goesOn(run: string, before: number) {
  return release.api.run(
    run,
    'goes on',
    ({ view }) => (view?.position.epoch ?? 0) >= before + 2 && view?.session !== null,
    900,
  );
}
const epochOf = async (run: string) =>
  (await release.api.run(run, 'is known', ({ view }) => view !== null)).view?.position.epoch ?? 0;

test('one command installs it, and all of it becomes ready', anHour, async () => {
  await release.install();
  await release.allReady('server', 2);
  for (const { name } of await release.allReady('agent', 2))
    expect(await node.kubectl('exec', name, '--', 'id', '-u')).toContain('10001');
});

test('the demo is trained to its end from outside', anHour, async () => {
  const run = await release.api.start({ trainer: 'digits', epochs: 5 });
  await landed(run, 'completed');
  const folder = join(storeFolder(node), 'experiments', 'default', run);
  expect(JSON.parse(await readFile(join(folder, 'receipt.json'), 'utf8'))).toMatchObject({ outcome: 'completed' });
});

test("an agent's pod is deleted in the midst of an epoch, and the run goes on in another pod", anHour, async () => {
  const run = await release.api.start({ trainer: 'digits', epochs: 6, ...slow });
  await release.inTheMidst(run);
  const host = await hostOf(run);
  const pod = await release.agentOf(host);
  await node.kubectl('delete', 'pod', pod.name, '--wait=false');
  await release.api.run(run, 'goes on elsewhere', ({ view }) => Boolean(view?.session) && view?.session?.host !== host);
  const other = await release.agentOf(await hostOf(run));
  expect(other.name).not.toBe(pod.name);
  const receipt = await landed(run, 'completed');
  expect(receipt.restarts).toHaveLength(1);
  await release.allReady('agent', 2);
});

test('a rolling upgrade under two trainings', anHour, async () => {
  const runs = [];
  for (const seed of [1, 2]) runs.push(await release.api.start({ trainer: 'digits', epochs: 500, seed, ...slow }));
  for (const run of runs) await release.inTheMidst(run);
  await release.upgrade(newer);
  for (const component of ['server', 'agent'] as const) {
    const pods = await release.allReady(component, 2);
    expect(pods.map((pod) => pod.image)).toEqual([`epochal:${newer}`, `epochal:${newer}`]);
  }
  for (const run of runs) await goesOn(run, await epochOf(run));
  for (const run of runs) await release.api.call(`/api/runs/${run}/stop`, { mode: 'batch' });
  for (const run of runs) expect((await landed(run, 'stopped')).restarts.length).toBeGreaterThan(0);
});

test('a node is drained, its run waits, and goes on once it is uncordoned', anHour, async () => {
  const run = await release.api.start({ trainer: 'digits', epochs: 500, ...slow });
  await release.inTheMidst(run);
  // The servers stay: there is no other node for them.
  const agents = 'app.kubernetes.io/component=agent';
  await node.kubectl(
    ...['drain', nodeName, '--ignore-daemonsets', '--delete-emptydir-data', '--pod-selector', agents],
    '--timeout=10m',
  );
  const { view } = await release.api.run(run, 'waits', ({ view }) => view?.detail === 'training.acquiring');
  await node.kubectl('uncordon', nodeName);
  await release.allReady('agent', 2);
  await goesOn(run, view?.position.epoch ?? 0);
  await release.api.call(`/api/runs/${run}/stop`, { mode: 'batch' });
  await landed(run, 'stopped');
});

test("the servers' pods are killed, and a run completes all the same", anHour, async () => {
  const run = await release.api.start({ trainer: 'digits', epochs: 8, ...slow });
  await release.inTheMidst(run);
  const before = await release.pods('server');
  const names = before.map(({ name }) => name);
  await node.kubectl('delete', 'pod', ...names, '--force', '--grace-period=0');
  const after = await release.allReady('server', 2);
  expect(after.filter(({ uid }) => before.some((one) => one.uid === uid))).toEqual([]);
  const receipt = await landed(run, 'completed');
  expect(receipt.restarts).toEqual([]);
});

test('uninstall leaves nothing but the volumes of agents, and what was stored', anHour, async () => {
  await release.uninstall();
  await until(
    'nothing is left',
    async () => (await release.left()).length === 0,
    300,
    () => 'see kubectl get all',
  );
  expect(await release.claims()).toHaveLength(4);
  await release.deleteClaims();
  expect(await release.claims()).toEqual([]);
  expect(ended.size).toBe(6);
  for (const run of ended.keys())
    expect(existsSync(join(storeFolder(node), 'experiments', 'default', run, 'receipt.json')), run).toBe(true);
});

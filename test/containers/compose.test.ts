/**
 * Production on one machine, as docs/production.md has it: the real compose file, the image of the real Dockerfile, and the real programs of Temporal
 * and PostgreSQL. One set-up for all of it, in this order. What the API answers is asked from outside, as a program on another machine does.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { docker } from './docker.ts';
import { buildImage, buildNewer, version } from './image.ts';
import { inspect, leftOver, Stack } from './stack.ts';
import { makeTemporalImages } from './temporal-images.ts';

const halfAnHour = 1_800_000;
/** Some 100 batches an epoch. */
const slow = { parameters: { batch_delay_seconds: 0.03 } };
const newer = 'test-newer';

let stack: Stack;
/** Each run that was ended, with its receipt: none of them may be lost. */
const ended = new Map<string, string>();

beforeAll(async () => {
  await makeTemporalImages();
  await buildImage();
  stack = await Stack.prepared(version);
}, halfAnHour);

afterAll(() => stack?.remove(), halfAnHour);

async function landed(run: string, outcome: string) {
  const { summary } = await stack.run(run, 'is stopped', ({ summary }) => summary.state === 'stopped');
  expect(summary.outcome, run).toBe(outcome);
  const receipt = await stack.call<object>(`/api/runs/${run}/file?path=receipt.json`);
  ended.set(run, JSON.stringify(receipt));
  return receipt;
}

/** So many epochs are complete. */
const trained = (run: string, epochs: number) =>
  stack.run(run, `has trained ${epochs} epochs`, ({ view }) => (view?.position.epoch ?? 0) >= epochs);

test('one command brings it up, and prints an address that signs a browser in', { timeout: halfAnHour }, async () => {
  const address = (await stack.script('up.sh')).trim().split('\n').at(-1) ?? '';
  expect(address).toMatch(/^http:/);
  const page = await fetch(stack.api);
  expect(page.status).toBe(200);
  expect(await page.text()).toContain('<title>');
  expect((await fetch(`${stack.api}/api/runs`)).status).toBe(401);
  expect((await fetch(`${stack.ui}/healthz`)).status).toBe(200);
  const worker = await stack.container('worker');
  await until('the agent is healthy', async () => (await inspect(worker, '{{.State.Health.Status}}')) === 'healthy');
});

test('the demo is trained to its end from outside', { timeout: halfAnHour }, async () => {
  const run = await stack.start({ trainer: 'digits', epochs: 5 });
  expect(await landed(run, 'completed')).toMatchObject({ outcome: 'completed' });
});

test("a run is cancelled in Temporal's UI, and its checkpoint is stored", { timeout: halfAnHour }, async () => {
  const run = await stack.start({ trainer: 'digits', epochs: 500, ...slow });
  await trained(run, 2);
  const page = await fetch(`${stack.ui}/api/v1/settings`);
  const cookie = page.headers.getSetCookie().map((one) => one.split(';')[0] ?? '');
  const token = cookie.find((one) => one.startsWith('_csrf='))?.slice('_csrf='.length) ?? '';
  const answer = await fetch(`${stack.ui}/api/v1/namespaces/default/workflows/${run}/cancel`, {
    method: 'POST',
    headers: { cookie: cookie.join('; '), 'x-csrf-token': token, 'content-type': 'application/json' },
    body: JSON.stringify({ workflowExecution: { workflowId: run } }),
  });
  expect(answer.status, await answer.text()).toBe(200);
  await landed(run, 'stopped');
});

test('trainers and agents reach Temporal, and neither database nor server', { timeout: halfAnHour }, async () => {
  const reaches = (service: string, host: string, port: number) =>
    stack
      .compose(
        ...['exec', '-T', service, 'node', '-e'],
        `require('net').connect(${port}, '${host}').on('connect', () => process.exit(0)).on('error', () => process.exit(1)); setTimeout(() => process.exit(2), 3000)`,
      )
      .then(
        () => true,
        () => false,
      );
  expect(await reaches('worker', 'temporal', 7233)).toBe(true);
  // By its address, too: names alone keep nobody away.
  for (const [service, port] of [
    ['postgresql', 5432],
    ['server', 8266],
    ['temporal-ui', 8080],
  ] as const) {
    const networks = await inspect(
      await stack.container(service),
      '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}',
    );
    for (const host of [service, ...networks.trim().split(' ')])
      expect(await reaches('worker', host, port), `${service} at ${host}`).toBe(false);
  }
  expect(await reaches('server', 'postgresql', 5432)).toBe(false);
});

test('agent, server and PostgreSQL are killed in the midst of a run, which completes', {
  timeout: halfAnHour,
}, async () => {
  const run = await stack.start({ trainer: 'digits', epochs: 12, ...slow });
  await trained(run, 2);
  await stack.crash('server');
  await trained(run, 4);
  await stack.crash('worker');
  await trained(run, 6);
  await stack.crash('postgresql');
  await trained(run, 8);
  await stack.crash('temporal');
  await landed(run, 'completed');
});

let running: string;

test('a backup is made while a run trains, and a rehearsal restores it', { timeout: halfAnHour }, async () => {
  running = await stack.start({ trainer: 'digits', epochs: 60, ...slow });
  await trained(running, 2);
  const folder = join(stack.folder, 'backup');
  await stack.script('backup.sh', folder);
  const said = await stack.script('rehearse.sh', folder);
  expect(said).toContain('The backup can be restored.');
  expect(Number(/Total: (\d+)/.exec(said)?.[1])).toBeGreaterThan(ended.size);
  expect(
    await docker(['ps', '--all', '--quiet', '--filter', 'label=com.docker.compose.project=epochal-rehearsal']),
  ).toBe('');
  expect((await stack.attempt('backup.sh', folder)).tail).toContain('never overwrites');
  expect((await stack.attempt('restore.sh', folder)).tail).toContain('a restore overwrites nothing');
});

test('all is upgraded under a run that trains', { timeout: halfAnHour }, async () => {
  await buildNewer(`epochal:${newer}`);
  stack.set({ EPOCHAL_VERSION: newer });
  await stack.script('upgrade.sh');
  for (const service of ['server', 'worker'])
    expect(await inspect(await stack.container(service), '{{.Config.Image}}')).toBe(`epochal:${newer}`);
  const before = (await stack.run(running, 'is known', ({ view }) => view !== null)).view?.position.epoch ?? 0;
  const { summary } = await trained(running, before + 2);
  expect(summary.state).toBe('training');
  await stack.call(`/api/runs/${running}/stop`, { mode: 'batch' });
  await landed(running, 'stopped');
});

test('it goes down by one command, and up again with all that it knew', { timeout: halfAnHour }, async () => {
  await stack.down();
  await stack.script('up.sh');
  for (const [run, receipt] of ended)
    expect(JSON.stringify(await stack.call(`/api/runs/${run}/file?path=receipt.json`)), run).toBe(receipt);
});

test('a restore brings it all back on a machine that has nothing', { timeout: halfAnHour }, async () => {
  const folder = join(stack.folder, 'backup-of-all');
  await stack.script('backup.sh', folder);
  await stack.down('--volumes');
  expect(await leftOver()).toEqual([]);
  await stack.script('restore.sh', folder);
  await stack.script('up.sh');
  for (const [run, receipt] of ended)
    expect(JSON.stringify(await stack.call(`/api/runs/${run}/file?path=receipt.json`)), run).toBe(receipt);
});

test('nothing is left', { timeout: halfAnHour }, async () => {
  await stack.down('--volumes', '--remove-orphans');
  expect(await leftOver()).toEqual([]);
});

import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { afterEach, beforeEach, expect, inject, test, vi } from 'vitest';
import { TrainingClient } from '../../client/training-client.ts';
import { runProgram } from '../../worker/run-program.ts';
import { Hold } from '../faults/hold.ts';
import { isAlive, LauncherProcess, npmStart, servingProcess, startedServer } from './launcher-process.ts';

// Each trains the demo, some twice: on two busy cores that takes a while.
vi.setConfig({ testTimeout: 600_000 });

const testTrainers = fileURLToPath(new URL('../trainers', import.meta.url));

let folder: string;
let env: NodeJS.ProcessEnv;
const launched: LauncherProcess[] = [];
const launch = (...args: string[]) => {
  const launcher = new LauncherProcess(args, env);
  launched.push(launcher);
  return launcher;
};
const launchByNpm = () => {
  const launcher = new LauncherProcess([], env, npmStart);
  launched.push(launcher);
  return launcher;
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-start-'));
  env = { EPOCHAL_DATA_DIR: folder, EPOCHAL_TRAINERS: testTrainers, EPOCHAL_ALLOWED_PATHS: folder };
});
afterEach(async () => {
  for (const launcher of launched.splice(0)) {
    launcher.signal('SIGKILL');
    await launcher.ended();
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 500 });
});

/** Processes whose command line names this test's data folder: servers by their database, trainers by their run folder. */
async function leftOver(): Promise<string[]> {
  const { stdout } = await runProgram('ps', ['-eo', 'pid=,args=']);
  return stdout.split('\n').filter((line) => line.includes(folder) && !line.includes('ps -eo'));
}

/** A run that waits in its third epoch, while the demo may be over before a test can disturb it; the next start shows it. */
async function trainsAndWaits(): Promise<Hold> {
  const { address } = await startedServer(folder);
  const connection = await Connection.connect({ address });
  const trainings = new TrainingClient(new Client({ connection }), { workerSeconds: 60 });
  const hold = await Hold.at(folder, ['3:2']);
  const { run } = await trainings.start({ trainer: 'counter', epochs: 6, parameters: hold.parameters });
  await writeFile(join(folder, 'demo.json'), JSON.stringify({ run }));
  await hold.reached();
  const trained = async () => expect((await trainings.view(run)).position.epoch).toBe(2);
  await vi.waitFor(trained, { timeout: 240_000, interval: 100 });
  await connection.close();
  return hold;
}

test('Ctrl-C while a run trains checkpoints it; the next start goes on with it, and ends with its npm', async () => {
  const first = launch();
  await first.until(/Epochal is running/);
  expect(first.said).toMatch(/completed.*all epochs are trained/);
  const server = await startedServer(folder);
  const hold = await trainsAndWaits();
  first.signal('SIGINT');
  expect(await first.ended(), first.said).toBe(0);
  expect(isAlive(server.pid)).toBe(false);
  expect(await leftOver()).toEqual([]);
  await hold.release();

  const second = launchByNpm();
  await second.until(/Epochal is running/);
  expect(second.said).toMatch(/completed.*all epochs are trained/);
  expect(second.said).toMatch(/restarts.*(preemption|workerLost)/);
  const launcher = await servingProcess(folder);
  second.signal('SIGTERM');
  expect(await second.ended()).toBe(0);
  expect(isAlive(launcher)).toBe(false);

  const third = launchByNpm();
  await third.until(/Epochal is running/);
  expect(third.said).not.toMatch(/completed/);
  const orphan = await servingProcess(folder);
  third.stopReading();
  third.signal('SIGKILL');
  await vi.waitFor(() => expect(isAlive(orphan)).toBe(false), { timeout: 120_000, interval: 250 });
  // It ended in good order: the address of its server went with that.
  expect(existsSync(join(folder, 'temporal.json'))).toBe(false);
});

test('a second start on the same data folder is refused with the first one named, and leaves that running', async () => {
  await writeFile(join(folder, 'demo.json'), '{"run":"none"}');
  const first = launch();
  await first.until(/Epochal is running/);
  const server = await startedServer(folder);
  const second = launch();
  expect(await second.ended()).toBe(1);
  expect(second.said).toMatch(/belongs to a worker that is running \(host \S+, process \d+ on \S+\)/);
  expect(isAlive(server.pid)).toBe(true);
  first.signal('SIGINT');
  expect(await first.ended()).toBe(0);
  expect(isAlive(server.pid)).toBe(false);
});

test('kill -9 leaves no server and no trainer; the next start goes on with the run', async () => {
  await writeFile(join(folder, 'demo.json'), '{"run":"none"}');
  const first = launch();
  await first.until(/Epochal is running/);
  const server = await startedServer(folder);
  const hold = await trainsAndWaits();
  first.signal('SIGKILL');
  await first.ended();
  await hold.release();
  const second = launch();
  await second.until(/Epochal is running/);
  expect(isAlive(server.pid)).toBe(false);
  expect(second.said).toMatch(/completed.*all epochs are trained/);
  second.signal('SIGKILL');
  await second.ended();
  await vi.waitFor(async () => expect(await leftOver()).toEqual([]), { timeout: 120_000, interval: 250 });
});

/** The last address that was printed signs in, once; what is in the data folder is nobody else's to read. */
async function signIn(said: string): Promise<void> {
  const { origin, hash } = new URL(said.match(/Web UI: (\S+)/)?.[1] ?? '');
  const enter = () =>
    fetch(`${origin}/api/access`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code: hash.replace('#code=', '') }),
    });
  expect((await fetch(`${origin}/api/settings`)).status).toBe(401);
  const entered = await enter();
  const cookie = entered.headers.get('set-cookie')?.split(';')[0] ?? '';
  expect((await fetch(`${origin}/api/settings`, { headers: { cookie } })).status).toBe(200);
  expect((await enter()).status).toBe(401);
  for (const path of ['.', 'logs']) expect((await stat(join(folder, path))).mode & 0o777, path).toBe(0o700);
  expect((await stat(join(folder, 'server-token'))).mode & 0o777).toBe(0o600);
  expect(await readFile(join(folder, 'logs', 'launcher.log'), 'utf8')).not.toContain(hash);
}

test('a server that is configured is used, not ended, and told the search attributes that it lacks', async () => {
  const address = inject('temporalAddress');
  const connection = await Connection.connect({ address });
  const namespace = `launch-${Date.now()}`;
  const { code } = await runProgram(inject('temporalBinary'), [
    ...['operator', 'namespace', 'create', '--namespace', namespace, '--address', address],
  ]);
  expect(code).toBe(0);
  Object.assign(env, { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace });
  await writeFile(join(folder, 'demo.json'), '{"run":"none"}');
  const launcher = launch();
  await launcher.until(/Epochal is running/);
  expect(launcher.said).toMatch(/as configured/);
  await signIn(launcher.said);
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  expect(Object.keys(customAttributes ?? {})).toContain('EpochalState');
  launcher.signal('SIGINT');
  expect(await launcher.ended()).toBe(0);
  expect(existsSync(join(folder, 'temporal.json'))).toBe(false);
  await new Client({ connection, namespace }).workflow.count();
  await connection.close();
});

test('a configured server that does not answer is one sentence with its address, and exit code 1', async () => {
  env.TEMPORAL_ADDRESS = '127.0.0.1:9';
  const launcher = launch();
  expect(await launcher.ended()).toBe(1);
  expect(launcher.said).toMatch(/no Temporal server answers at 127\.0\.0\.1:9/);
  expect(launcher.said).not.toMatch(/^ +at /m);
});

test('a setting that is wrong, and an argument that is none, are refused before anything starts', async () => {
  const unknown = launch('--fast');
  expect(await unknown.ended()).toBe(2);
  expect(unknown.said).toMatch(/--fast is not understood/);
  env.EPOCHAL_SLOTS = 'many';
  const wrong = launch();
  expect(await wrong.ended()).toBe(1);
  expect(wrong.said).toMatch(/EPOCHAL_SLOTS is "many"/);
  env = { EPOCHAL_DATA_DIR: join(folder, 'file') };
  await writeFile(join(folder, 'file'), '');
  const nowhere = launch();
  expect(await nowhere.ended()).toBe(1);
  expect(nowhere.said).toMatch(/^EPOCHAL_DATA_DIR is ".*\/file": must be the absolute path .*; it is a file\n$/);
  expect(await readFile(join(folder, 'temporal.json'), 'utf8').catch(() => null)).toBe(null);
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { afterEach, beforeEach, expect, inject, test, vi } from 'vitest';
import { searchAttributes } from '../../contracts/search-attributes.ts';
import { runningTemporal } from '../../launch/find-temporal.ts';
import { startTemporalServer } from '../../launch/temporal-server.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-server-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('the shared server of the test run answers and knows the search attributes of a run', async () => {
  const connection = await Connection.connect({ address: inject('temporalAddress') });
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
  expect(Object.keys(customAttributes ?? {})).toEqual(expect.arrayContaining(Object.keys(searchAttributes)));
  await connection.close();
});

test('a server whose launcher was killed is going down, and is not used although it answers still', async () => {
  const launcher = spawn('true');
  await once(launcher, 'exit');
  const address = inject('temporalAddress');
  const record = { address, namespace: 'default', ui: null, pid: process.pid };
  const write = (more: object) => writeFile(join(folder, 'temporal.json'), JSON.stringify({ ...record, ...more }));
  await write({ launcher: launcher.pid });
  expect(await runningTemporal(folder)).toBe(null);
  await write({ launcher: process.pid });
  expect(await runningTemporal(folder)).toMatchObject({ origin: 'running', address });
  await write({});
  expect(await runningTemporal(folder)).toMatchObject({ origin: 'running', address });
});

test('what was started on a server with a database file is there after a restart', async () => {
  const options = {
    binary: inject('temporalBinary'),
    logFile: join(folder, 'temporal.log'),
    databaseFile: join(folder, 'temporal.db'),
    ui: false,
  };
  const first = await startTemporalServer(options);
  const before = await Connection.connect({ address: first.address });
  await new Client({ connection: before }).workflow.start('nobodyRunsThis', {
    taskQueue: 'none',
    workflowId: 'survivor',
  });
  await before.close();
  await first.stop();
  expect(isAlive(first.pid)).toBe(false);

  const second = await startTemporalServer(options);
  const after = await Connection.connect({ address: second.address });
  const found = await new Client({ connection: after }).workflow.getHandle('survivor').describe();
  expect(found.status.name).toBe('RUNNING');
  await after.close();
  await second.stop();
});

test('a port in use is not taken: another one is', async () => {
  const options = { binary: inject('temporalBinary'), logFile: join(folder, 'temporal.log'), ui: true };
  const first = await startTemporalServer(options);
  const port = Number(first.address.split(':')[1]);
  const second = await startTemporalServer({ ...options, port });
  expect(second.address).not.toBe(first.address);
  expect((await fetch(`${second.ui}/`)).ok).toBe(true);
  await Promise.all([first.stop(), second.stop()]);
});

test('a port that somebody takes while the server starts is given up for another', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port: taken } = other.address() as AddressInfo;
  // The server itself, told at its first start to listen where somebody else already does.
  const binary = join(folder, 'temporal');
  await writeFile(
    binary,
    `#!/bin/bash
if mkdir ${folder}/was-started 2>/dev/null; then exec ${inject('temporalBinary')} "\${@:1:5}" ${taken} "\${@:7}"; fi
exec ${inject('temporalBinary')} "$@"
`,
    { mode: 0o755 },
  );
  const logFile = join(folder, 'temporal.log');
  const server = await startTemporalServer({ binary, logFile, ui: false });
  expect(await readFile(logFile, 'utf8')).toContain(`127.0.0.1:${taken}: bind: address already in use`);
  const connection = await Connection.connect({ address: server.address });
  await connection.close();
  await server.stop();
  other.close();
});

test('a server that cannot start is an error with the end of its log', async () => {
  await expect(
    startTemporalServer({
      binary: inject('temporalBinary'),
      logFile: join(folder, 'temporal.log'),
      databaseFile: folder,
      ui: false,
    }),
  ).rejects.toThrow(/did not start/);
  await expect(
    startTemporalServer({ binary: join(folder, 'no-such-program'), logFile: join(folder, 'temporal.log'), ui: false }),
  ).rejects.toThrow(/did not start[\s\S]*no-such-program/);
});

test.each(['SIGKILL', 'SIGTERM'] as const)('no server is left when its launcher dies of %s', async (signal) => {
  const launcher = spawn(
    process.execPath,
    [
      '--import',
      'tsx',
      fileURLToPath(new URL('./launcher-of-a-server.ts', import.meta.url)),
      inject('temporalBinary'),
      join(folder, 'temporal.log'),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [line] = await once(createInterface({ input: launcher.stdout }), 'line');
  const pid = Number(line);
  expect(isAlive(pid)).toBe(true);
  launcher.kill(signal);
  await once(launcher, 'exit');
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 120_000 });
  expect(await readFile(join(folder, 'temporal.log'), 'utf8')).not.toMatch(/panic/);
});

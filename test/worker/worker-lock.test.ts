import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { askToHandOver, handOverSignal, takeDataFolder } from '../../worker/worker-lock.ts';

const lockModule = fileURLToPath(new URL('../../worker/worker-lock.ts', import.meta.url));

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-lock-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('a second worker on a data folder is refused with the first one named, until that one gives it back', async () => {
  const folder = await makeFolder();
  const giveBack = await takeDataFolder(folder);
  const { host } = JSON.parse(await readFile(join(folder, 'host.json'), 'utf8'));
  await expect(takeDataFolder(folder, { patienceMs: 0 })).rejects.toThrow(
    new RegExp(
      `${folder} belongs to a worker that is running \\(host ${host}, process ${process.pid} on .*EPOCHAL_TRAINERS`,
    ),
  );
  await giveBack();
  await (await takeDataFolder(folder, { patienceMs: 0 }))();
});

test('the folder of a worker that was killed is free at once, though a child of that worker lives on', async () => {
  const folder = await makeFolder();
  const program = `
    const { takeDataFolder } = await import(${JSON.stringify(lockModule)});
    const { spawn } = await import('node:child_process');
    await takeDataFolder(${JSON.stringify(folder)});
    const child = spawn('sleep', ['600'], { stdio: 'ignore', detached: true });
    console.log(child.pid);
    setInterval(() => undefined, 1000);
  `;
  const worker = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    worker.kill('SIGKILL');
  });
  const [child] = await once(worker.stdout, 'data');
  onTestFinished(() => {
    process.kill(Number(child), 'SIGKILL');
  });
  await expect(takeDataFolder(folder, { patienceMs: 0 })).rejects.toThrow(`process ${worker.pid} on`);
  worker.kill('SIGKILL');
  await (await takeDataFolder(folder))();
});

test('the worker of a data folder is asked to hand over, and waited for; where there is none that can, the reason is told', async () => {
  const folder = await makeFolder();
  await expect(askToHandOver(folder)).rejects.toThrow(`no worker runs on the data folder ${folder}`);
  const giveBack = await takeDataFolder(folder);
  await expect(askToHandOver(folder)).rejects.toThrow(`process ${process.pid}, which serves the data folder ${folder}`);
  await giveBack();
  await expect(askToHandOver(folder)).rejects.toThrow('no worker runs');
  const handOver = await takeDataFolder(folder, { handsOver: true });
  process.once(handOverSignal, () => void handOver());
  expect(await askToHandOver(folder)).toMatchObject({ pid: process.pid });
});

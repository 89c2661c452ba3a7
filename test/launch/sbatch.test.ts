/** The job of docs/epochal-worker.sbatch, told by the signals that Slurm sends it; what the worker makes of them is in test/faults/. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../support/until.ts';

const job = fileURLToPath(new URL('../../docs/epochal-worker.sbatch', import.meta.url));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-sbatch-'));
  await program('scontrol', 'echo "$@" >>"$HOME/requeued"');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function program(name: string, script: string): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/bash\n${script}\n`);
  await chmod(join(folder, name), 0o755);
}

/** `worker`: what the worker does; it has said that it is there. */
async function submitted(worker: string): Promise<{ child: ChildProcess; exited: Promise<number | null> }> {
  await program('epochal', `echo "$@" "$EPOCHAL_DATA_DIR" "$EPOCHAL_POOL" >"$HOME/said"; ${worker}`);
  await writeFile(join(folder, 'epochal-worker.env'), 'EPOCHAL_POOL=a40\n');
  const child = spawn('bash', [job], {
    env: { PATH: `${folder}${delimiter}${process.env.PATH}`, HOME: folder, SLURM_JOB_ID: '7', SLURM_TMPDIR: folder },
    stdio: 'ignore',
  });
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  await until('the worker runs', () => existsSync(join(folder, 'ready')) || child.exitCode !== null);
  expect(await readFile(join(folder, 'said'), 'utf8')).toBe(`worker --until-idle ${folder}/epochal-7 a40\n`);
  return { child, exited };
}

/** Saves for a moment, and ends as the worker does. */
const saving = `trap 'sleep 0.2; exit 75' USR1; trap 'sleep 0.2; exit 0' TERM; touch "$HOME/ready"; while :; do sleep 0.02; done`;
const requeued = () => readFile(join(folder, 'requeued'), 'utf8').catch(() => '');

it('comes back after its time limit', async () => {
  const { child, exited } = await submitted(saving);
  child.kill('SIGUSR1');
  expect(await exited).toBe(75);
  expect(await requeued()).toBe('requeue 7\n');
});

it('ends when it is cancelled or preempted, and waits for its worker', async () => {
  const { child, exited } = await submitted(saving);
  child.kill('SIGCONT');
  child.kill('SIGTERM');
  expect(await exited).toBe(0);
  expect(await requeued()).toBe('');
});

it.each([0, 1])('ends with what its worker ends with by itself: %i', async (code) => {
  const { exited } = await submitted(`touch "$HOME/ready"; exit ${code}`);
  expect(await exited).toBe(code);
  expect(await requeued()).toBe('');
});

/** `epochal` on live runs, and on the pool that trains them: status, watch, pause, resume, stop, hosts, worker. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { ledgerEntrySchema } from '../../contracts/checkpoint.ts';
import { type RunView, runViewSchema } from '../../contracts/run-messages.ts';
import { CommandLine, newRun } from '../support/command-line.ts';
import { until } from '../support/until.ts';

const slow = { batches: 200, batch_seconds: 0.02 };

let line: CommandLine;
beforeAll(async () => {
  line = await CommandLine.start({ slots: 3 });
});
afterAll(() => line?.stop());

// Every command is a process that starts anew, which on a busy machine takes its time.
vi.setConfig({ testTimeout: 600_000 });

describe('a live run', () => {
  it('is shown, paused, resumed, listed, and stopped; watching it can be interrupted', async () => {
    const run = newRun('goes-on');
    const project = newRun('project');
    const file = await line.config({
      project,
      epochs: 10_000,
      checkpoints: { last: 2 },
      parameters: { batches: 20, batch_seconds: 0.02 },
    });
    const started = await line.epochal('train', file, '--run', run);
    expect(started.code).toBe(0);
    expect(started.stdout).toContain(`epochal watch ${run}`);
    await line.trains(run);

    const watch = line.command(['watch', run]);
    await until('it shows something', () => watch.stdout.includes('training'));
    watch.child.kill('SIGINT');
    expect(await watch.ended).toMatchObject({
      code: 130,
      stderr: `stopped watching; run ${run} continues. "epochal watch ${run}" watches it again, "epochal stop ${run}" stops it.\n`,
    });

    const status = await line.epochal('status', run);
    expect(status.stdout).toMatch(/^state +training/m);
    expect(runViewSchema.parse(await line.json('status', run)).run).toBe(run);
    await until('a checkpoint is kept', async () => (await line.view(run)).checkpoints.length > 0);
    const checkpoints = await line.json<unknown[]>('checkpoints', run);
    expect(ledgerEntrySchema.parse(checkpoints[0]).name).toMatch(/^epoch-\d{4}$/);
    expect((await line.epochal('checkpoints', run)).stdout).toMatch(/^checkpoint .*metrics$/m);

    await until(
      'visibility knows',
      async () => (await line.json<{ run: string }[]>('ls', '--project', project, '--state', 'training')).length === 1,
    );
    expect((await line.epochal('ls', '--project', project)).stdout).toMatch(
      new RegExp(`^${run} +training +counter +${project}`, 'm'),
    );

    const wrong = await line.epochal('resume', run);
    expect(wrong).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^epochal: resume is refused: [^\n]*\n$/),
    });
    expect((await line.epochal('pause', run)).code).toBe(0);
    await until('it pauses', async () => (await line.view(run)).detail === 'training.paused');
    expect((await line.json<RunView>('resume', run)).state).toBe('training');
    await line.trains(run);

    // A completion gives up soon, so that a shell is never held up: on a busy machine it may have to be asked again.
    await until('the run id is completed', async () => {
      const completed = await line.epochal('--get-yargs-completions', 'epochal', 'stop', run.slice(0, 9));
      return completed.stdout.split('\n').includes(run);
    });

    const stopped = await line.epochal('stop', run, '--mode', 'epoch', '--wait');
    expect(stopped.stdout).toMatch(/^stopped {2}stopped by request \(epoch\)$/m);
    expect(stopped.code).toBe(4);
    const late = await line.epochal('stop', run);
    expect(late).toMatchObject({ code: 2, stderr: `epochal: run ${run} has stopped already\n` });
    expect((await line.epochal('watch', run)).code).toBe(4);
    await until('it is completed for "folders rm" too', async () => {
      const completed = await line.epochal('--get-yargs-completions', 'epochal', 'folders', 'rm', run.slice(0, 9));
      return completed.stdout.split('\n').includes(run);
    });
    const commands = await line.epochal('--get-yargs-completions', 'epochal', 'folders', '');
    expect(commands.stdout.split('\n')).toEqual(expect.arrayContaining(['ls', 'rm']));
  });

  it('ends with 5 when it was terminated', async () => {
    const run = newRun('forced');
    await line.epochal('train', await line.config({ epochs: 50, parameters: slow }), '--run', run);
    await line.trains(run);
    await line.host.client.workflow.getHandle(run).terminate('a test');
    const { code, stdout } = await line.epochal('watch', run);
    expect(stdout).toMatch(/^(salvaged|lost) {2}/m);
    expect(code).toBe(5);
  });
});

describe('the pool', () => {
  it('is shown', async () => {
    expect((await line.epochal('hosts', '--pool', line.host.settings.pool)).stdout).toMatch(
      new RegExp(`^${line.host.worker.host.id} +\\d of 3`, 'm'),
    );
    expect((await line.epochal('trainers', '--pool', line.host.settings.pool)).stdout).toMatch(
      /^counter +Counter +loss, score$/m,
    );
    const manifests = await line.json<{ ok: boolean; manifest: { name: string; parameters: object } }[]>(
      'trainers',
      '--pool',
      line.host.settings.pool,
    );
    expect(manifests.find(({ manifest }) => manifest.name === 'counter')?.manifest.parameters).toMatchObject({
      properties: { batches: expect.anything() },
    });
    expect(await line.epochal('hosts', '--pool', 'nobody')).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'no host serves pool nobody\n',
    });
  });
});

describe('finding the server', () => {
  it('takes the address that the launcher left in the data folder', async () => {
    const data = await mkdtemp(join(line.folder, 'data-'));
    await writeFile(
      join(data, 'temporal.json'),
      JSON.stringify({ address: inject('temporalAddress'), namespace: 'default', ui: null, pid: process.pid }),
    );
    const env = { TEMPORAL_ADDRESS: undefined, EPOCHAL_DATA_DIR: data, HOME: data };
    expect(await line.command(['ls', '--limit', '1', '--json'], env).ended).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('epochal worker', () => {
  it('serves its pool until SIGTERM, and then ends with 0', async () => {
    const data = await mkdtemp(join(line.folder, 'worker-'));
    const pool = newRun('pool');
    const worker = line.command(['worker'], {
      EPOCHAL_DATA_DIR: data,
      EPOCHAL_POOL: pool,
      EPOCHAL_CACHE_DIR: line.host.settings.cacheFolder,
    });
    await until('it serves', () => /the worker serves/.test(worker.stdout + worker.stderr));
    expect((await line.epochal('hosts', '--pool', pool)).stdout).toContain('of');
    worker.child.kill('SIGTERM');
    expect((await worker.ended).code).toBe(0);
  });
});

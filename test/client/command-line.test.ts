/** The `epochal` command as a process, against a real server, worker and trainers: output, exit codes, signals. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { main } from '../../client/cli/main.ts';
import type { WatchItem } from '../../client/watch.ts';
import { ledgerEntrySchema } from '../../contracts/checkpoint.ts';
import type { DataReport } from '../../contracts/data-report.ts';
import { receiptSchema } from '../../contracts/receipt.ts';
import { type RunView, runViewSchema } from '../../contracts/run-messages.ts';
import { ensureEnvironment } from '../../worker/python-environments.ts';
import { TestHost } from '../support/test-host.ts';
import { until } from '../support/until.ts';

const program = fileURLToPath(new URL('../../bin/epochal.mjs', import.meta.url));
const makeShapes = fileURLToPath(new URL('../../trainers/examples/make_shapes.py', import.meta.url));
const slow = { batches: 200, batch_seconds: 0.02 };

let host: TestHost;
let folder: string;
beforeAll(async () => {
  host = await TestHost.start({ slots: 3 });
  folder = await mkdtemp(join(tmpdir(), 'epochal-cli-'));
});
afterAll(async () => {
  await host?.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

class Command {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';

  constructor(args: string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(process.execPath, [program, ...args], {
      env: {
        ...process.env,
        TEMPORAL_ADDRESS: inject('temporalAddress'),
        EPOCHAL_WORKFLOW_QUEUE: host.settings.workflowQueue,
        EPOCHAL_DATA_DIR: host.settings.dataFolder,
        LOG_LEVEL: 'info',
        ...env,
      },
    });
    this.child.stdin.end();
    this.child.stdout.on('data', (chunk) => {
      this.stdout += String(chunk);
    });
    this.child.stderr.on('data', (chunk) => {
      this.stderr += String(chunk);
    });
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }));
    });
  }
}

/** The same without a process of its own, for calls that end before they meet the server. */
async function inProcess(...args: string[]): Promise<Ended> {
  const output = { stdout: '', stderr: '' };
  const into = (stream: keyof typeof output) =>
    new Writable({
      write(chunk, _, done) {
        output[stream] += String(chunk);
        done();
      },
    });
  const env = { ...process.env, TEMPORAL_ADDRESS: inject('temporalAddress') };
  const code = await main(args, { env, stdout: into('stdout'), stderr: into('stderr') });
  return { code, ...output };
}

const epochal = (...args: string[]): Promise<Ended> => new Command(args).ended;

async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await epochal(...args, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}

async function config(values: object): Promise<string> {
  const file = join(folder, `${randomUUID()}.yaml`);
  await writeFile(file, JSON.stringify({ ...host.config(), ...values }));
  return file;
}

const newRun = (what: string) => `${what}-${randomUUID().slice(0, 8)}`;
const trains = (run: string) =>
  until(
    `${run} trains`,
    async () => (await host.client.workflow.getHandle(run).query<RunView>('run')).detail === 'training.epoch',
  );

// Every command is a process that starts anew, which on a busy machine takes its time.
vi.setConfig({ testTimeout: 600_000 });

describe('epochal train', () => {
  it('--wait prints a line an epoch and the receipt, and ends with 0', async () => {
    const run = newRun('waits');
    const file = await config({ epochs: 5 });
    const { code, stdout, stderr } = await epochal(
      'train',
      file,
      '--wait',
      '--run',
      run,
      '--set',
      'epochs=2',
      '--set',
      'parameters.batches=30',
      '--set',
      'parameters.batch_seconds=0.05',
    );
    // Before it, where the check took its time, what the worker was doing.
    expect(stderr.trim().split('\n').at(-1)).toBe(`run ${run} → ${host.settings.store}/experiments/default/${run}`);
    expect(stdout).toMatch(/epoch 2 of 2: .*score/);
    expect(stdout).toMatch(/^completed {2}all epochs are trained$/m);
    expect(stdout).toContain(`${host.settings.store}/experiments/default/${run}`);
    expect(code).toBe(0);
    // The id is taken now, and its results are there.
    const again = await epochal('train', file, '--run', run);
    expect(again).toMatchObject({ code: 2, stdout: '' });
    expect(again.stderr).toMatch(new RegExp(`^epochal: run is "${run}": must be new: `, 'm'));
  });

  it('--wait --json prints JSON lines alone, and ends with 3 for a failed run', async () => {
    const file = await config({ parameters: { fail_at: '1:1', fail_times: 0 }, failures: { restarts: 0 } });
    const run = newRun('fails');
    const { code, stdout } = await epochal('train', file, '--wait', '--json', '--run', run);
    const items = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as WatchItem);
    expect(items.at(-1)).toMatchObject({ kind: 'end', receipt: { outcome: 'failed' } });
    expect(code).toBe(3);
    const kept = await json<{ folders: { run: string; path: string }[] }[]>('data', 'ls', '--pool', host.settings.pool);
    const path = kept[0]?.folders.find((one) => one.run === run)?.path ?? '';
    expect(existsSync(path)).toBe(true);
    const table = await epochal('data', 'ls', '--pool', host.settings.pool);
    expect(table.stdout).toContain(path);
    const removed = await epochal('data', 'rm', run, '--pool', host.settings.pool, '--force');
    expect(removed).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(`^removed ${path} on ${host.worker.host.id}, `),
    });
    expect(existsSync(path)).toBe(false);
    const gone = await epochal('data', 'rm', run, '--pool', host.settings.pool);
    expect(gone).toMatchObject({
      code: 2,
      stderr: `epochal: run is "${run}": no host of pool ${host.settings.pool} keeps a folder of it\n`,
    });
  });

  it('data publish publishes what a host kept, and its folder goes', async () => {
    const file = await config({ parameters: { fail_at: '2:1', fail_times: 0 }, failures: { restarts: 0 } });
    const run = newRun('kept');
    expect(await epochal('train', file, '--wait', '--run', run)).toMatchObject({ code: 3 });
    const path = join(host.settings.dataFolder, 'runs', run);
    await writeFile(join(path, 'artifacts', 'added-by-hand.txt'), 'looked into');
    const published = await epochal('data', 'publish', run, '--pool', host.settings.pool);
    const output = join(host.settings.store, 'experiments', 'default', run);
    expect(published).toMatchObject({ code: 0, stdout: expect.stringMatching(`^published .* in ${output}\n$`) });
    expect(existsSync(path)).toBe(false);
    const receipt = receiptSchema.parse(JSON.parse(await readFile(join(output, 'receipt.json'), 'utf8')));
    expect(receipt).toMatchObject({ outcome: 'failed', cause: { failure: { kind: 'trainerError' } } });
    expect(receipt.files.map((one) => one.path)).toContain('artifacts/added-by-hand.txt');
    expect(receipt.localFolder).toEqual({ kind: 'removed' });
    const gone = await epochal('data', 'publish', run, '--pool', host.settings.pool);
    expect(gone.stderr).toMatch(new RegExp(`^epochal: run is "${run}": no host of pool .* keeps a folder of it\n$`));
  });

  it('refuses bad input with one sentence a problem, exit code 2, and no stack', async () => {
    const bad = await config({ epochs: 0, epochz: 1 });
    const refused = await epochal('train', bad);
    expect(refused).toEqual({
      code: 2,
      stdout: '',
      stderr: 'epochal: epochs is 0: must be at least 1\nepochal: epochz is 1: unknown field; did you mean epochs?\n',
    });
    const syntax = join(folder, 'syntax.yaml');
    await writeFile(syntax, 'trainer: counter\nepochs: [1\n');
    const broken = await epochal('train', syntax);
    expect(broken).toMatchObject({ code: 2, stdout: '' });
    expect(broken.stderr).toMatch(/^epochal: .*syntax\.yaml cannot be read as YAML in line \d+, column \d+: [^\n]*\n$/);
    const invalid = await epochal('validate', await config({ parameters: { batches: -1 } }), '--json');
    expect(invalid.code).toBe(2);
    expect(JSON.parse(invalid.stdout)).toMatchObject({
      ok: false,
      problems: [{ field: 'parameters.batches', value: '-1' }],
    });
  });

  it('validate tells what the data set holds, and looks at every image where that is asked', async () => {
    const data = join(folder, 'shapes');
    const { python } = await ensureEnvironment({ requirements: ['numpy==2.4.6', 'pillow==13.0.0', 'PyYAML==6.0.3'] });
    execFileSync(python, [makeShapes, '--format', 'yolo', '--count', '12', '--size', '64', data]);
    const [first = '', second = ''] = await readdir(join(data, 'images', 'train'));
    await copyFile(join(data, 'images', 'train', first), join(data, 'images', 'val', 'same.png'));
    const file = await config({ trainer: 'looker', data });
    const shown = await epochal('validate', file);
    expect(shown).toMatchObject({ code: 0 });
    expect(shown.stdout).toMatch(/^split +by folder: train 9 images with 18 objects; val 4 images/m);
    expect(shown.stdout).toMatch(/^decoded +not checked\nduplicates +not checked$/m);
    // What the worker is doing is told on stderr where it takes longer than a moment.
    const deep: { dataReport: DataReport } = JSON.parse((await epochal('validate', file, '--deep', '--json')).stdout);
    expect(deep.dataReport).toMatchObject({
      decoded: { images: 13, failed: 0 },
      duplicates: { images: 1, acrossSplits: 1 },
      findings: expect.arrayContaining([expect.objectContaining({ kind: 'duplicate across splits', count: 1 })]),
    });
    await writeFile(join(data, 'images', 'train', second), 'no image');
    const refused = await epochal('validate', file);
    expect(refused.code).toBe(2);
    expect(refused.stdout).toMatch(new RegExp(`left out  unreadable picture: 1\\n  .*${second}`));
    const told: { ok: boolean; dataReport: DataReport } = JSON.parse(
      (await epochal('validate', file, '--json')).stdout,
    );
    expect(told).toMatchObject({ ok: false, dataReport: { images: 12, splitSha256: null } });
  });

  it('a draft is configured and begun', async () => {
    const run = newRun('draft');
    const started = await json<{ run: string }>('train', await config({ epochs: 1 }), '--draft', '--run', run);
    expect(started.run).toBe(run);
    const changed = await json<RunView>('configure', run, '--set', 'epochs=2');
    expect(changed.config.epochs).toBe(2);
    const nothing = await epochal('configure', run);
    expect(nothing).toMatchObject({
      code: 2,
      stderr: 'epochal: nothing to change: give a YAML file or --set field=value\n',
    });
    const begun = await epochal('begin', run, '--wait');
    expect(begun.stdout).toMatch(/^completed/m);
    expect(begun.code).toBe(0);
  });
});

describe('a run that goes on', () => {
  it('is shown, paused, resumed, listed, and stopped; watching it can be interrupted', async () => {
    const run = newRun('goes-on');
    const project = newRun('project');
    const file = await config({
      project,
      epochs: 10_000,
      checkpoints: { last: 2 },
      parameters: { batches: 20, batch_seconds: 0.02 },
    });
    const started = await epochal('train', file, '--run', run);
    expect(started.code).toBe(0);
    expect(started.stdout).toContain(`epochal watch ${run}`);
    await trains(run);

    const watch = new Command(['watch', run]);
    await until('it shows something', () => watch.stdout.includes('training'));
    watch.child.kill('SIGINT');
    expect(await watch.ended).toMatchObject({
      code: 130,
      stderr: `stopped watching; run ${run} goes on. "epochal watch ${run}" watches it again, "epochal stop ${run}" stops it.\n`,
    });

    const status = await epochal('status', run);
    expect(status.stdout).toMatch(/^state +training/m);
    expect(runViewSchema.parse(await json('status', run)).run).toBe(run);
    await until(
      'a checkpoint is kept',
      async () => (await host.client.workflow.getHandle(run).query<RunView>('run')).checkpoints.length > 0,
    );
    const checkpoints = await json<unknown[]>('checkpoints', run);
    expect(ledgerEntrySchema.parse(checkpoints[0]).name).toMatch(/^epoch-\d{4}$/);
    expect((await epochal('checkpoints', run)).stdout).toMatch(/^checkpoint .*metrics$/m);

    await until(
      'visibility knows',
      async () => (await json<{ run: string }[]>('ls', '--project', project, '--state', 'training')).length === 1,
    );
    expect((await epochal('ls', '--project', project)).stdout).toMatch(
      new RegExp(`^${run} +training +counter +${project}`, 'm'),
    );

    const wrong = await epochal('resume', run);
    expect(wrong).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^epochal: resume is refused: [^\n]*\n$/),
    });
    expect((await epochal('pause', run)).code).toBe(0);
    await until(
      'it pauses',
      async () => (await host.client.workflow.getHandle(run).query<RunView>('run')).detail === 'training.paused',
    );
    expect((await json<RunView>('resume', run)).state).toBe('training');
    await trains(run);

    // A completion gives up soon, so that a shell is never held up: on a busy machine it may have to be asked again.
    await until('the run id is completed', async () => {
      const completed = await epochal('--get-yargs-completions', 'epochal', 'stop', run.slice(0, 9));
      return completed.stdout.split('\n').includes(run);
    });

    const stopped = await epochal('stop', run, '--mode', 'epoch', '--wait');
    expect(stopped.stdout).toMatch(/^stopped {2}stopped by request \(epoch\)$/m);
    expect(stopped.code).toBe(4);
    const late = await epochal('stop', run);
    expect(late).toMatchObject({ code: 2, stderr: `epochal: run ${run} has stopped already\n` });
    expect((await epochal('watch', run)).code).toBe(4);
    await until('it is completed for "data rm" too', async () => {
      const completed = await epochal('--get-yargs-completions', 'epochal', 'data', 'rm', run.slice(0, 9));
      return completed.stdout.split('\n').includes(run);
    });
    const commands = await epochal('--get-yargs-completions', 'epochal', 'data', '');
    expect(commands.stdout.split('\n')).toEqual(expect.arrayContaining(['ls', 'rm']));
  });

  it('ends with 5 when it was terminated', async () => {
    const run = newRun('forced');
    await epochal('train', await config({ epochs: 50, parameters: slow }), '--run', run);
    await trains(run);
    await host.client.workflow.getHandle(run).terminate('a test');
    const { code, stdout } = await epochal('watch', run);
    expect(stdout).toMatch(/^(salvaged|lost) {2}/m);
    expect(code).toBe(5);
  });
});

describe('the pool', () => {
  it('is shown', async () => {
    expect((await epochal('hosts', '--pool', host.settings.pool)).stdout).toMatch(
      new RegExp(`^${host.worker.host.id} +\\d of 3`, 'm'),
    );
    expect((await epochal('trainers', '--pool', host.settings.pool)).stdout).toMatch(
      /^counter +Counter +loss, score$/m,
    );
    const manifests = await json<{ ok: boolean; manifest: { name: string; parameters: object } }[]>(
      'trainers',
      '--pool',
      host.settings.pool,
    );
    expect(manifests.find(({ manifest }) => manifest.name === 'counter')?.manifest.parameters).toMatchObject({
      properties: { batches: expect.anything() },
    });
    expect(await epochal('hosts', '--pool', 'nobody')).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'no host serves pool nobody\n',
    });
  });
});

describe('wrong calls', () => {
  const calls: [string[], number, RegExp][] = [
    [[], 2, /^epochal: a command is needed; "epochal --help" tells more\n$/],
    [['trian', 'x'], 2, /^epochal: there is no command trian; did you mean train\? "epochal --help" lists them all\n$/],
    [['train'], 2, /^epochal: an argument is missing; "epochal train --help" tells more\n$/],
    [['train', '/no/such.yaml'], 2, /^epochal: "\/no\/such\.yaml" cannot be read: there is no such file\n$/],
    [
      ['train', 'x.yaml', '--draft', '--wait'],
      2,
      /^epochal: a draft does not train yet: leave out --draft or --wait\n$/,
    ],
    [['ls', '--colour'], 2, /^epochal: Unknown argument: colour; "epochal ls --help" tells more\n$/],
    [['ls', '--limit', 'many'], 2, /^epochal: limit is NaN: must be a whole number\n$/],
    [['stop', 'x', '--mode', 'soon'], 2, /^epochal: mode is "soon": must be one of "batch", "epoch", "now"\n$/],
    [['status', '../x'], 2, /^epochal: run is "\.\.\/x": allowed are letters/],
    [
      ['status', 'no-such-run'],
      2,
      /^epochal: run is "no-such-run": Temporal knows no run with this id, or no longer; "epochal ls" lists those that it knows\n$/,
    ],
    [['data'], 2, /^epochal: data needs a command: ls, publish or rm; /],
  ];
  it.each(calls)('%j', async (args, code, told) => {
    const ended = await inProcess(...args);
    expect(ended).toMatchObject({ code, stdout: '' });
    expect(ended.stderr).toMatch(told);
  });

  it('and no server: one sentence, and a stack only for those who debug', async () => {
    const env = { TEMPORAL_ADDRESS: '127.0.0.1:1' };
    const quiet = await new Command(['ls'], env).ended;
    expect(quiet).toEqual({
      code: 1,
      stdout: '',
      stderr: 'epochal: no Temporal server answers at 127.0.0.1:1 (from TEMPORAL_ADDRESS or a temporal.toml)\n',
    });
    const loud = await new Command(['ls'], { ...env, LOG_LEVEL: 'debug' }).ended;
    expect(loud.stderr).toContain('ServerUnreachableError');
  });

  it('every command has help with an example', async () => {
    const commands = [
      'train',
      'configure',
      'begin',
      'validate',
      'status',
      'watch',
      'checkpoints',
      'stop',
      'pause',
      'resume',
      'ls',
      'trainers',
      'hosts',
      'data ls',
      'data publish',
      'data rm',
      'worker',
      'doctor',
    ];
    const overview = await inProcess('--help');
    for (const command of commands) expect(overview.stdout).toContain(`epochal ${command.split(' ')[0]}`);
    expect(overview.stdout.replace(/\s+/g, ' ')).toContain(
      'Exit codes: 0 done, or the run completed; 1 error; 2 bad input; 3 the run failed; 4 it was stopped;',
    );
    for (const command of commands) {
      const help = await inProcess(...command.split(' '), '--help');
      expect(help).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('Examples:') });
    }
  });
});

describe('finding the server', () => {
  it('takes the address that the launcher left in the data folder', async () => {
    const data = await mkdtemp(join(folder, 'data-'));
    await writeFile(
      join(data, 'temporal.json'),
      JSON.stringify({ address: inject('temporalAddress'), namespace: 'default', ui: null, pid: process.pid }),
    );
    const env = { TEMPORAL_ADDRESS: undefined, EPOCHAL_DATA_DIR: data, HOME: data };
    expect(await new Command(['ls', '--limit', '1', '--json'], env).ended).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('epochal worker', () => {
  it('serves its pool until SIGTERM, and then ends with 0', async () => {
    const data = await mkdtemp(join(folder, 'worker-'));
    const pool = newRun('pool');
    const worker = new Command(['worker'], {
      EPOCHAL_DATA_DIR: data,
      EPOCHAL_POOL: pool,
      EPOCHAL_CACHE_DIR: host.settings.cacheFolder,
    });
    await until('it serves', () => /the worker serves/.test(worker.stdout + worker.stderr));
    expect((await epochal('hosts', '--pool', pool)).stdout).toContain('of');
    worker.child.kill('SIGTERM');
    expect((await worker.ended).code).toBe(0);
  });
});

/** The `epochal` command as a process of its own, on the server and the worker of a test. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect, inject } from 'vitest';
import { main } from '../../client/cli/main.ts';
import type { RunView } from '../../contracts/run-messages.ts';
import { TestHost, type TestHostOptions } from './test-host.ts';
import { until } from './until.ts';

const program = fileURLToPath(new URL('../../bin/epochal.mjs', import.meta.url));

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export class Command {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';

  constructor(args: string[], env: NodeJS.ProcessEnv, cwd?: string) {
    this.child = spawn(process.execPath, [program, ...args], { env: { ...process.env, ...env }, cwd });
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

/** A worker, and the command line of somebody who uses it. */
export class CommandLine {
  private constructor(
    readonly host: TestHost,
    /** For the files of a test. */
    readonly folder: string,
  ) {}

  static async start(options: TestHostOptions): Promise<CommandLine> {
    return new CommandLine(await TestHost.start(options), await mkdtemp(join(tmpdir(), 'epochal-cli-')));
  }

  async stop(): Promise<void> {
    await this.host.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  get #env(): NodeJS.ProcessEnv {
    const { workflowQueue, dataFolder } = this.host.settings;
    return {
      TEMPORAL_ADDRESS: inject('temporalAddress'),
      EPOCHAL_WORKFLOW_QUEUE: workflowQueue,
      EPOCHAL_DATA_DIR: dataFolder,
      LOG_LEVEL: 'info',
    };
  }

  command(args: string[], env: NodeJS.ProcessEnv = {}): Command {
    return new Command(args, { ...this.#env, ...env }, this.folder);
  }

  /** Without a process of its own. */
  readonly here = (...args: string[]): Promise<Ended> => runHere(args, this.#env);

  readonly epochal = (...args: string[]): Promise<Ended> => this.command(args).ended;

  /** What it prints with `--json`, where it says nothing else. */
  readonly json = async <T>(...args: string[]): Promise<T> => {
    const { code, stdout, stderr } = await this.epochal(...args, '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout) as T;
  };

  /** A configuration for the counting trainer, as a file. */
  readonly config = async (values: object): Promise<string> => {
    const file = join(this.folder, `${randomUUID()}.yaml`);
    await writeFile(file, JSON.stringify({ ...this.host.config(), ...values }));
    return file;
  };

  readonly view = (run: string): Promise<RunView> => this.host.client.workflow.getHandle(run).query<RunView>('run');

  readonly trains = (run: string): Promise<unknown> =>
    until(`${run} trains`, async () => (await this.view(run)).detail === 'training.epoch');
}

/** The same without a process of its own, which on a busy machine takes seconds. */
export async function inProcess(...args: string[]): Promise<Ended> {
  return runHere(args, { TEMPORAL_ADDRESS: inject('temporalAddress') });
}

async function runHere(args: string[], given: NodeJS.ProcessEnv): Promise<Ended> {
  const output = { stdout: '', stderr: '' };
  const into = (stream: keyof typeof output) =>
    new Writable({
      write(chunk, _, done) {
        output[stream] += String(chunk);
        done();
      },
    });
  const env = { ...process.env, ...given };
  const code = await main(args, { env, stdout: into('stdout'), stderr: into('stderr') });
  return { code, ...output };
}

export const newRun = (what: string): string => `${what}-${randomUUID().slice(0, 8)}`;

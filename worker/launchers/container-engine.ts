/** Docker, or Podman, by its command line, which both have alike. */
import { z } from 'zod';
import { EngineProblem, forbidden, unreachable } from '../engine-problem.ts';
import { programEnvironment } from '../program-environment.ts';
import { type ProgramEnd, type RunOptions, runProgram } from '../run-program.ts';
import { parseJson } from '../run-report.ts';

/** Where the engine is, as its own command line reads it. */
const engineVariables = [
  'DOCKER_HOST',
  'DOCKER_CONTEXT',
  'DOCKER_CONFIG',
  'DOCKER_CERT_PATH',
  'DOCKER_TLS_VERIFY',
  'CONTAINER_HOST',
];
/** An engine that does not answer, in milliseconds; making a container takes a second, and more on a busy disk. */
const patienceMs = 30_000;
const makingMs = 120_000;

export interface ContainerState {
  isRunning: boolean;
  /** Null while it runs. */
  exitCode: number | null;
  outOfMemory: boolean;
  /** Of its first process, on the engine's machine; 0: none. */
  pid: number;
}

const stateSchema = z.object({
  Running: z.boolean(),
  ExitCode: z.int(),
  OOMKilled: z.boolean().default(false),
  Pid: z.int().default(0),
});

export class ContainerEngine {
  /** `docker` or `podman`. */
  constructor(readonly program: string) {}

  /** Makes and starts it. Throws EngineProblem. */
  async run(args: readonly string[]): Promise<void> {
    const ended = await this.call(['run', '--detach', '--pull', 'never', ...args], { timeoutMs: makingMs });
    if (ended.code !== 0) throw this.problem('run', ended);
  }

  /** Null: there is none of this name. Throws EngineProblem where the engine cannot be asked. */
  async state(name: string): Promise<ContainerState | null> {
    const ended = await this.call(['container', 'inspect', '--format', '{{json .State}}', name]);
    const { code, stdout, tail } = ended;
    const state = code === 0 ? parseJson(stateSchema, stdout.trim()) : null;
    if (state) {
      const { Running: isRunning, ExitCode, OOMKilled: outOfMemory, Pid: pid } = state;
      return { isRunning, exitCode: isRunning ? null : ExitCode, outOfMemory, pid };
    }
    if (/no such (container|object)/i.test(tail)) return null;
    throw this.problem('inspect', ended);
  }

  /** What its first process wrote. */
  async output(name: string): Promise<string> {
    return (await this.call(['logs', name])).stdout;
  }

  /** Nobody may be there any more: that is no error. */
  async kill(name: string): Promise<void> {
    await this.call(['kill', name]);
  }

  /** With all that runs in it. Throws EngineProblem unless it is gone. */
  async remove(name: string): Promise<void> {
    const ended = await this.call(['rm', '--force', '--volumes', name]);
    if (ended.code !== 0 && (await this.state(name)) !== null) throw this.problem('rm', ended);
  }

  /** Names of all that carry the label, also of those that have ended. Throws EngineProblem. */
  async labelled(label: string): Promise<string[]> {
    const ended = await this.call(['ps', '--all', '--filter', `label=${label}`, '--format', '{{.Names}}']);
    if (ended.code !== 0) throw this.problem('ps', ended);
    return ended.stdout.split('\n').filter(Boolean);
  }

  /** Null: there is none of this name here. Throws EngineProblem where the engine cannot be asked. */
  async imageId(image: string): Promise<string | null> {
    const ended = await this.call(['image', 'inspect', '--format', '{{.Id}}', image]);
    if (ended.code === 0) return ended.stdout.trim().replace(/^sha256:/, '') || null;
    if (/no such (image|object)|image not known/i.test(ended.tail)) return null;
    throw this.problem('image inspect', ended);
  }

  /** Throws EngineProblem where it does not answer. */
  async reach(): Promise<void> {
    const ended = await this.call(['ps', '--quiet']);
    if (ended.code !== 0) throw this.problem('ps', ended);
  }

  /** What a command ended with that did not do it. */
  problem(command: string, { code, tail }: ProgramEnd): EngineProblem {
    if (code === null && tail.includes('ENOENT'))
      return new EngineProblem(`${this.program} is not installed on this host`, false, true);
    // Without a code it took too long, or could not be started now.
    const isAway = unreachable.test(tail) || (code === null && !tail.includes('EACCES'));
    return new EngineProblem(`${this.program} ${command}: ${lastWords(tail)}`, isAway, !isAway && forbidden.test(tail));
  }

  call(args: readonly string[], options: RunOptions = {}): Promise<ProgramEnd> {
    return runProgram(this.program, args, {
      timeoutMs: patienceMs,
      ...options,
      env: { ...engineEnvironment(), ...options.env },
    });
  }
}

export const engineEnvironment = (env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv => ({
  ...programEnvironment(env),
  ...Object.fromEntries(engineVariables.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]]))),
});

const lastWords = (tail: string) =>
  tail
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('See '))
    .slice(-3)
    .join('; ')
    .slice(0, 1000) || 'no answer';

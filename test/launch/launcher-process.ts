/** The launcher as a real process, by itself or by `npm start`, in a data folder of its own, with what it says at hand. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { startedServerSchema } from '../../launch/find-temporal.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const launcher = [process.execPath, join(root, 'launch', 'start.mjs')] as const;
export const npmStart = ['npm', '--silent', 'start', '--'] as const;

export class LauncherProcess {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #ended: Promise<number | null>;
  #said = '';
  stdout = '';

  constructor(args: string[], env: NodeJS.ProcessEnv, [program, ...first]: readonly [string, ...string[]] = launcher) {
    // What the machine's own configuration says of Temporal is not part of the test.
    const { TEMPORAL_ADDRESS: _1, TEMPORAL_NAMESPACE: _2, TEMPORAL_PROFILE: _3, ...inherited } = process.env;
    this.#child = spawn(program, [...first, ...args], {
      cwd: root,
      env: { ...inherited, TEMPORAL_CONFIG_FILE: '/no-such-file.toml', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout.on('data', (chunk) => {
      this.stdout += String(chunk);
    });
    this.#child.stderr.on('data', (chunk) => {
      this.#said += String(chunk);
    });
    this.#ended = once(this.#child, 'close').then(([code]) => (typeof code === 'number' ? code : null));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get said(): string {
    return this.#said;
  }

  /** Resolves when it has said this on stderr; throws, with what it said, when it ends before. */
  async until(pattern: RegExp): Promise<void> {
    for (;;) {
      if (pattern.test(this.#said)) return;
      const ended = await Promise.race([
        once(this.#child.stderr, 'data').then(() => false),
        this.#ended.then(() => true),
      ]);
      if (ended && !pattern.test(this.#said)) throw new Error(`it ended before it said ${pattern}:\n${this.#said}`);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Nobody reads any more what it says. */
  stopReading(): void {
    this.#child.stdout.destroy();
    this.#child.stderr.destroy();
  }

  /** Its exit code, or null when a signal ended it. */
  ended(): Promise<number | null> {
    return this.#ended;
  }
}

/** The server that an Epochal process left the address of. */
export async function startedServer(dataFolder: string) {
  return startedServerSchema.parse(JSON.parse(await readFile(join(dataFolder, 'temporal.json'), 'utf8')));
}

/** The process that serves the data folder: the launcher itself, whoever started it. */
export async function servingProcess(dataFolder: string): Promise<number> {
  const holder: unknown = JSON.parse(await readFile(join(dataFolder, 'worker.lock'), 'utf8'));
  return z.object({ pid: z.number() }).parse(holder).pid;
}

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** A program that serves until the test has it end: by its id, and with this process, however that one ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { deadline } from '../../worker/deadline.ts';
import { until } from '../support/until.ts';

const patienceMs = 30_000;

export class Started {
  readonly #exited: Promise<unknown>;

  private constructor(
    private readonly child: ChildProcess,
    private readonly log: FileHandle,
    readonly logFile: string,
  ) {
    this.#exited = once(child, 'exit');
  }

  /** Its output goes to a file in `logs` that is named like it. */
  static async program(path: string, args: readonly string[], logs: string): Promise<Started> {
    const logFile = join(logs, `${basename(path)}.log`);
    const log = await open(logFile, 'a');
    // The kernel tells it when whoever started it has died.
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', path, ...args], { stdio: ['ignore', log.fd, log.fd] });
    await once(child, 'spawn');
    return new Started(child, log, logFile);
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Throws with the last of what it said when it ends meanwhile. */
  async until(what: string, condition: () => Promise<boolean>, seconds = 120): Promise<void> {
    await until(
      what,
      async () => {
        if (this.hasEnded) throw new Error(`it ended before ${what}:\n${await this.said()}`);
        return condition();
      },
      seconds,
      () => `see ${this.logFile}`,
    );
  }

  async said(): Promise<string> {
    return (await readFile(this.logFile, 'utf8')).split('\n').slice(-20).join('\n');
  }

  async end(): Promise<void> {
    if (!this.hasEnded) {
      this.child.kill('SIGTERM');
      const late = deadline(patienceMs);
      const onLate = () => this.child.kill('SIGKILL');
      late.addEventListener('abort', onLate, { once: true });
      await this.#exited;
      late.removeEventListener('abort', onLate);
    }
    await this.log.close();
  }
}

/**
 * The process that ends a trainer when this worker is lost (`trainer_guard.py`). It hears of that by the end of a pipe,
 * so neither a worker that died nor a trainer that hangs, is stopped or holds its GIL is needed for it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { EndLimits } from './end-trainer.ts';
import type { ProcessIdentity } from './process-groups.ts';
import type { RunFolder } from './run-folders.ts';

const program = fileURLToPath(new URL('./trainer_guard.py', import.meta.url));

export class TrainerGuard {
  readonly #child: ChildProcess;
  /** Resolves when the guard has gone; also where it could not be started. */
  readonly gone: Promise<void>;

  /** Before the trainer, so that there is no moment in which nobody would end it. */
  constructor(python: string, folder: RunFolder, session: string, { stopSeconds, terminateSeconds }: EndLimits) {
    const args = ['-I', '-S', program, session, folder.events, String(stopSeconds), String(terminateSeconds)];
    // A session of its own: what ends the worker's process group does not end the guard.
    this.#child = spawn(python, args, { cwd: '/', stdio: ['pipe', 'ignore', 'ignore'], detached: true, env: {} });
    this.#child.on('error', () => undefined);
    this.#child.stdin?.on('error', () => undefined);
    this.gone = new Promise((resolve) => {
      this.#child.once('exit', () => resolve());
      this.#child.once('error', () => resolve());
    });
  }

  watch({ pid, startTicks }: ProcessIdentity): void {
    this.#child.stdin?.write(`${pid} ${startTicks ?? ''}\n`);
  }

  /** The end of the session was seen: there is nothing left to guard. */
  dismiss(): void {
    this.#child.stdin?.end('\nover\n');
  }

  /** As the death of this process would. */
  abandon(): void {
    this.#child.stdin?.destroy();
  }
}

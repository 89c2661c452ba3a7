/**
 * The program of a tracker (`observers/trackers/`), on the tracker's own client in a Python environment of its own: started when there is something to
 * tell, asked line by line, and ended when it has had nothing to do for a while. Its client takes seconds to load.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { TrackerQuestion, TrackerSource } from '../observers/tracker.ts';
import { readLines } from './bounded-lines.ts';
import { programEnvironment } from './program-environment.ts';
import { bytecodeFolder, ensureEnvironment, readRequirements } from './python-environments.ts';

/** Of one answer, in bytes: it is a sentence. */
const longestAnswer = 64 * 1024;
const idleMs = 60_000;
/** Of what it is still told as it ends: a request of its client takes 20 s at most. */
const longestEndMs = 60_000;

const answerSchema = z.object({ id: z.int(), refused: z.string().optional(), failed: z.string().optional() });
type Answer = z.infer<typeof answerSchema>;

/** The tracker takes it neither now nor later. */
export class TrackerRefused extends Error {
  override readonly name = 'TrackerRefused';
}

export interface TrackerProgramOptions {
  /** Its file. */
  file: string;
  /** What it is told besides what any program may see: the tracker's address and key. */
  environment: NodeJS.ProcessEnv;
  onProgress?: ((message: string) => void) | undefined;
}

interface Running {
  child: ChildProcess;
  waiting: Map<number, (answer: Answer) => void>;
}

export class TrackerProgram implements TrackerSource {
  readonly #options: TrackerProgramOptions;
  #running: Running | null = null;
  #starting: Promise<Running> | null = null;
  #last = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: TrackerProgramOptions) {
    this.#options = options;
  }

  /** Throws TrackerRefused, or an Error for what is to be tried again; the signal's reason when aborted: it goes on by itself then. */
  async ask(question: TrackerQuestion, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { child, waiting } = await this.#start(signal);
    signal.throwIfAborted();
    clearTimeout(this.#idle);
    this.#last += 1;
    const id = this.#last;
    let onAbort = () => {};
    try {
      const answer = await new Promise<Answer>((resolve, reject) => {
        onAbort = () => reject(signal.reason);
        signal.addEventListener('abort', onAbort, { once: true });
        waiting.set(id, resolve);
        child.stdin?.write(`${JSON.stringify({ id, ...question })}\n`);
      });
      if (answer.refused !== undefined) throw new TrackerRefused(this.#withoutSecrets(answer.refused));
      if (answer.failed !== undefined) throw new Error(this.#withoutSecrets(answer.failed));
    } finally {
      signal.removeEventListener('abort', onAbort);
      waiting.delete(id);
      if (waiting.size === 0) this.#idle = setTimeout(() => this.close(), idleMs).unref();
    }
  }

  close(): void {
    clearTimeout(this.#idle);
    const child = this.#running?.child;
    this.#running = null;
    if (!child) return;
    // It ends with its input, once it has answered.
    child.stdin?.end();
    const kill = setTimeout(() => child.kill('SIGKILL'), longestEndMs).unref();
    child.once('close', () => clearTimeout(kill));
  }

  async #start(signal: AbortSignal): Promise<Running> {
    if (this.#running) return this.#running;
    this.#starting ??= this.#begin(signal).finally(() => (this.#starting = null));
    return this.#starting;
  }

  async #begin(signal: AbortSignal): Promise<Running> {
    const { file, environment, onProgress } = this.#options;
    const requirements = await readRequirements(file);
    const { python } = await ensureEnvironment({ requirements, onProgress, signal });
    // Whoever closes it does not see what is only then started.
    signal.throwIfAborted();
    const child = spawn(python, ['-u', file], {
      cwd: dirname(file),
      env: { ...programEnvironment(), ...environment, PYTHONPYCACHEPREFIX: bytecodeFolder(python) },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const running: Running = { child, waiting: new Map() };
    let said = '';
    if (child.stdout)
      void readLines(child.stdout, longestAnswer, {
        onLine: (line) => {
          const answer = answerOf(line);
          if (answer) running.waiting.get(answer.id)?.(answer);
        },
        onTooLong: () => child.kill('SIGKILL'),
      });
    child.stderr?.on('data', (chunk) => (said = `${said}${chunk}`.slice(-2000)));
    child.stdin?.on('error', () => undefined);
    const onEnd = (why: string) => {
      if (this.#running === running) this.#running = null;
      for (const [id, resolve] of running.waiting)
        resolve({ id, failed: `the tracker's program has ended: ${why} ${said}`.trim() });
    };
    child.once('error', (error) => onEnd(error.message));
    child.once('close', (code, how) => onEnd(how ?? `${code}`));
    // The worker may end without waiting for it.
    child.unref();
    this.#running = running;
    return running;
  }

  /** A client may tell what it has asked, and a message is kept in a history. */
  #withoutSecrets(message: string): string {
    const values = Object.entries(this.#options.environment).flatMap(([name, value]) =>
      value && value.length >= 4 && /TOKEN|PASSW|SECRET|KEY|USERNAME/i.test(name) ? [value] : [],
    );
    return values.reduce((text, value) => text.replaceAll(value, '***'), message);
  }
}

function answerOf(line: string): Answer | null {
  try {
    return answerSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

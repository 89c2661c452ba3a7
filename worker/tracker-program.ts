/**
 * The program of a tracker (`observers/trackers/`), on the tracker's own client in a Python environment of its own: started when there is something to
 * tell, asked line by line, and ended when it has had nothing to do for a while. Its client takes seconds to load.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { TrackerQuestion, TrackerSource } from '../observers/tracker.ts';
import { readLines } from './bounded-lines.ts';
import { deadline } from './deadline.ts';
import { programEnvironment } from './program-environment.ts';
import { bytecodeFolder, ensureEnvironment, readRequirements } from './python-environments.ts';

/** Of one answer, in bytes: it is a sentence. */
const longestAnswer = 64 * 1024;
const idleMs = 60_000;
/** Questions at the same time. Each is an activity, of which a worker has 100 at most on a queue that also publishes: a tracker that is slow must leave room. */
const mostAsking = 32;
/** Characters of what it says as it ends, and of what is held of that. */
const [longestWords, heldOfWords] = [2000, 16_000];
/** With the environment of its client, which may have to be installed. */
const longestStartMs = 15 * 60_000;
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
  /** How often it has answered. */
  answered: number;
}

export class TrackerProgram implements TrackerSource {
  readonly #options: TrackerProgramOptions;
  #running: Running | null = null;
  #starting: { running: Promise<Running>; closing: AbortController } | null = null;
  #last = 0;
  #asking = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: TrackerProgramOptions) {
    this.#options = options;
  }

  /** Throws TrackerRefused, or an Error for what is to be tried again; the signal's reason when aborted: it goes on by itself then. */
  async ask(question: TrackerQuestion, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#asking >= mostAsking) throw new Error(`the tracker is slow: ${mostAsking} questions wait for it already`);
    this.#asking += 1;
    try {
      await this.#ask(question, signal);
    } finally {
      this.#asking -= 1;
    }
  }

  async #ask(question: TrackerQuestion, signal: AbortSignal): Promise<void> {
    const running = await this.#start(signal);
    signal.throwIfAborted();
    const { child, waiting, answered } = running;
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
      // It may hang. Whoever else waits for it has what it still answers, and the next question begins another one.
      if (signal.aborted && running.answered === answered && this.#running === running) this.#end();
      if (waiting.size === 0) this.#rest();
    }
  }

  close(): void {
    this.#starting?.closing.abort(new Error("the tracker's program was closed as it began"));
    this.#end();
  }

  #rest(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#end(), idleMs).unref();
  }

  /** The one that is there; the next question begins another. */
  #end(): void {
    clearTimeout(this.#idle);
    const child = this.#running?.child;
    this.#running = null;
    if (!child) return;
    // It ends with its input, once it has answered.
    child.stdin?.end();
    const kill = setTimeout(() => child.kill('SIGKILL'), longestEndMs).unref();
    child.once('close', () => clearTimeout(kill));
  }

  /** For all who ask meanwhile: whoever of them goes takes nothing from the others, and what is being installed is there for the next. */
  async #start(signal: AbortSignal): Promise<Running> {
    if (this.#running) return this.#running;
    if (this.#starting === null) {
      const closing = new AbortController();
      const within = deadline(longestStartMs, closing.signal, "the tracker's program has not begun");
      const running = this.#begin(within).finally(() => (this.#starting = null));
      // Nobody may be left who waits for it.
      running.catch(() => undefined);
      this.#starting = { running, closing };
    }
    const { running } = this.#starting;
    let onAbort = () => {};
    const gone = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
    });
    return Promise.race([running, gone]).finally(() => signal.removeEventListener('abort', onAbort));
  }

  async #begin(signal: AbortSignal): Promise<Running> {
    const { file, environment, onProgress } = this.#options;
    const requirements = await readRequirements(file);
    const { python } = await ensureEnvironment({ requirements, onProgress, signal });
    signal.throwIfAborted();
    const child = spawn(python, ['-u', file], {
      cwd: dirname(file),
      env: { ...programEnvironment(), ...environment, PYTHONUTF8: '1', PYTHONPYCACHEPREFIX: bytecodeFolder(python) },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const running: Running = { child, waiting: new Map(), answered: 0 };
    let said = '';
    if (child.stdout)
      void readLines(child.stdout, longestAnswer, {
        onLine: (line) => {
          const answer = answerOf(line);
          if (!answer) return;
          running.answered += 1;
          running.waiting.get(answer.id)?.(answer);
        },
        onTooLong: () => child.kill('SIGKILL'),
      });
    child.stderr?.on('data', (chunk) => (said = `${said}${chunk}`.slice(-heldOfWords)));
    child.stdin?.on('error', () => undefined);
    // A secret that was cut in two would not be found.
    const lastWords = () => this.#withoutSecrets(said).slice(-longestWords);
    const onEnd = (why: string) => {
      if (this.#running === running) this.#running = null;
      for (const [id, resolve] of running.waiting)
        resolve({ id, failed: `the tracker's program has ended: ${why} ${lastWords()}`.trim() });
    };
    child.once('error', (error) => onEnd(error.message));
    child.once('close', (code, how) => onEnd(how ?? `${code}`));
    // The worker may end without waiting for it.
    child.unref();
    this.#running = running;
    // All who asked for it may have gone.
    this.#rest();
    return running;
  }

  /** A client may tell what it has asked, and a message is kept in a history. */
  #withoutSecrets(message: string): string {
    const values = Object.entries(this.#options.environment).flatMap(([name, value]) =>
      value && value.length >= 4 && /TOKEN|PASSW|SECRET|KEY|USERNAME/i.test(name) ? [value] : [],
    );
    // One may be the beginning of another.
    values.sort((a, b) => b.length - a.length);
    const said = values.reduce((text, value) => text.replaceAll(value, '***'), message);
    // What any program may see has the address of a proxy, maybe with its password.
    return said.replaceAll(/\/\/[^\s/@]+@/g, '//***@');
  }
}

function answerOf(line: string): Answer | null {
  try {
    return answerSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

/** Runs another program to its end, with its output in hand and its whole process group ended on an abort. */
import { spawn } from 'node:child_process';
import { readLines } from './bounded-lines.ts';
import { programEnvironment } from './program-environment.ts';

export interface RunOptions {
  cwd?: string;
  /** Left out: what any program may see of ours. */
  env?: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
  /** Milliseconds after which the program is killed, and the run counts as failed. */
  timeoutMs?: number;
  /** Written to the program's stdin; left out, it has none. */
  input?: string;
  /** Each line of stdout and stderr, as it comes. */
  onLine?: (line: string) => void;
  /** What it writes is taken as it is: a line that ends with a carriage return keeps it. */
  keepsReturns?: boolean;
}

export interface ProgramEnd {
  /** Null when the program could not be started, or was ended by a signal. */
  code: number | null;
  stdout: string;
  /** The last of stdout and stderr together, for an error message. */
  tail: string;
}

const tailLines = 30;
/** Bytes of stdout, and of one line of either: no answer and no message is longer. */
const longestOutput = 16 * 1024 * 1024;
const longestTailLine = 4_000;

/**
 * Never throws for what the program does: a program that is missing, fails, takes too long or writes too much has a
 * `code` other than 0. Throws the signal's reason when aborted, after the whole process group was killed.
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<ProgramEnd> {
  options.signal?.throwIfAborted();
  // A group of its own, so that what the program itself started goes with it.
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env ?? programEnvironment(),
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const stdout: string[] = [];
  const tail: string[] = [];
  const keep = (line: string) => {
    tail.push(line.slice(0, longestTailLine));
    if (tail.length > tailLines) tail.shift();
    options.onLine?.(line);
  };
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      keep(error.message);
      resolve(null);
    });
    child.once('close', (exitCode) => resolve(exitCode));
  });
  // Where too many files are open there are none.
  if (!child.stdout || !child.stderr) return { code: await ended, stdout: '', tail: tail.join('\n') };
  let isTooLong = false;
  const onTooLong = () => {
    // It may have ended by itself before it could be ended.
    isTooLong = true;
    keep(`it was ended: it wrote more than ${longestOutput} bytes`);
    kill();
  };
  let length = 0;
  void readLines(child.stdout, longestOutput, {
    onLine: (line) => {
      if (length > longestOutput) return;
      length += line.length + 1;
      if (length > longestOutput) return onTooLong();
      stdout.push(line);
      keep(line);
    },
    onTooLong,
    keepsReturns: options.keepsReturns ?? false,
  });
  // A program that ends without reading its input breaks the pipe: its exit code tells, not this error.
  child.stdin?.on('error', () => undefined).end(options.input);
  void readLines(child.stderr, longestOutput, { onLine: keep, onTooLong });

  const kill = () => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // The group is already gone.
    }
  };
  const timer = options.timeoutMs === undefined ? undefined : setTimeout(kill, options.timeoutMs);
  options.signal?.addEventListener('abort', kill, { once: true });
  try {
    const code = await ended;
    options.signal?.throwIfAborted();
    return { code: isTooLong ? null : code, stdout: stdout.join('\n'), tail: tail.join('\n') };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', kill);
  }
}

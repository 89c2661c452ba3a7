/** What the GPUs of this host do, from one `nvidia-smi` that tells every few seconds, for as long as a session wants to know. */
import { type ChildProcess, spawn } from 'node:child_process';
import { type GpuUse, systemRowSeconds } from '../../contracts/system-metrics.ts';
import { readLines } from '../bounded-lines.ts';
import { programEnvironment } from '../program-environment.ts';

const query = '--query-gpu=index,utilization.gpu,memory.used,power.draw,temperature.gpu';
const mebibyte = 1024 * 1024;
/** Of a line. */
const longestLine = 4_096;
/** A reading that is older tells nothing of now, and a program that ended is started again, in milliseconds. */
const staleMs = 4 * systemRowSeconds * 1000;

export class GpuReadings {
  readonly #program: readonly string[];
  readonly #latest = new Map<number, { use: GpuUse; at: number }>();
  #child: ChildProcess | null = null;
  #startedAt = Number.NEGATIVE_INFINITY;
  #watchers = 0;

  /** `program`: with the arguments that go before the query. */
  constructor(program: readonly string[] = ['nvidia-smi']) {
    this.#program = program;
  }

  /** Until `signal`; answers what these GPUs did last. Nothing is started for none. */
  watch(gpus: readonly number[], signal: AbortSignal): () => GpuUse[] {
    if (gpus.length === 0 || signal.aborted) return () => [];
    this.#watchers++;
    this.#ensureStarted();
    const stop = () => {
      this.#watchers--;
      if (this.#watchers === 0) this.#stop();
    };
    signal.addEventListener('abort', stop, { once: true });
    return () => {
      if (!signal.aborted) this.#ensureStarted();
      const oldest = performance.now() - staleMs;
      return gpus.flatMap((index) => {
        const reading = this.#latest.get(index);
        return reading && reading.at > oldest ? [reading.use] : [];
      });
    };
  }

  #stop(): void {
    this.#child?.kill('SIGKILL');
    this.#child = null;
    this.#startedAt = Number.NEGATIVE_INFINITY;
  }

  #ensureStarted(): void {
    if (this.#child || performance.now() - this.#startedAt < staleMs) return;
    this.#startedAt = performance.now();
    const [program = '', ...first] = this.#program;
    const args = [...first, query, '--format=csv,noheader,nounits', '-l', String(systemRowSeconds)];
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'], env: programEnvironment() });
    this.#child = child;
    const over = () => {
      if (this.#child === child) this.#child = null;
    };
    child.on('error', over);
    child.on('exit', over);
    // It does not hold up the end of the worker, and ends with it: nobody reads what it writes then.
    child.unref();
    // Where too many files are open it has not started, and nothing to read from.
    if (!child.stdout) return;
    void readLines(child.stdout, longestLine, {
      onLine: (line) => {
        const use = parseGpuUse(line);
        if (use && this.#child === child) this.#latest.set(use.index, { use, at: performance.now() });
      },
      onTooLong: () => child.kill('SIGKILL'),
    });
  }
}

/** `0, 87, 35411, 312.45, 61`: per cent, MiB, watts, °C; `[N/A]` and the like for what this GPU does not tell. Null: no such line. */
export function parseGpuUse(line: string): GpuUse | null {
  const [index, use, memory, watts, celsius, ...more] = line.split(',').map((field) => field.trim());
  if (index === undefined || !/^\d+$/.test(index) || celsius === undefined || more.length > 0) return null;
  const told = (field = '') => (/^\d+(\.\d+)?$/.test(field) ? Number(field) : null);
  const scaled = (field: string | undefined, factor: number) => {
    const value = told(field);
    return value === null ? null : value * factor;
  };
  return {
    index: Number(index),
    use: scaled(use, 1 / 100),
    memoryBytes: scaled(memory, mebibyte),
    watts: told(watts),
    celsius: told(celsius),
  };
}

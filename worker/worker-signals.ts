/** What SIGTERM, SIGINT, SIGHUP and SIGUSR2 ask of a worker. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { handOverSignal } from './worker-lock.ts';

/** After a second signal: to tell the server that sessions have ended, then the process ends whatever it is doing. */
const atOnceMs = 5_000;

/** A worker, as far as signals ask it for anything. */
interface Drainable {
  readonly stopped: Promise<void>;
  drain(): Promise<void>;
  handOver(): Promise<void>;
  stopNow(): Promise<void>;
}

const listened = ['SIGTERM', 'SIGINT', 'SIGHUP', handOverSignal] as const;

/**
 * SIGTERM and SIGINT from the beginning: one that comes while the worker starts is obeyed as soon as it serves. SIGHUP
 * (the terminal, or npm, is gone) is a first one, and never a second.
 */
export class WorkerSignals {
  readonly #log: Logger;
  #count = 0;
  #handsOver = false;
  #worker: Drainable | null = null;
  #urge: () => void = () => undefined;
  readonly #asking = new AbortController();
  /** Aborted by the first signal to drain. */
  readonly asked: AbortSignal = this.#asking.signal;
  /** Resolves when nothing is waited for any more: a while after the second signal, at once while the worker starts. */
  readonly urged = new Promise<null>((resolve) => {
    this.#urge = () => resolve(null);
  });
  readonly #listener = (signal: NodeJS.Signals) => this.#hear(signal);

  constructor(log: Logger) {
    this.#log = log;
    for (const signal of listened) process.on(signal, this.#listener);
  }

  async obeyedBy(worker: Drainable): Promise<void> {
    this.#worker = worker;
    if (this.#count > 0) this.#obey(worker);
    else if (this.#handsOver) this.#leave(worker);
    await worker.stopped;
  }

  close(): void {
    for (const signal of listened) process.off(signal, this.#listener);
  }

  #hear(signal: NodeJS.Signals): void {
    if (signal === handOverSignal) return this.#handOver();
    if (signal === 'SIGHUP' && this.#count > 0) return;
    this.#count++;
    const how =
      this.#count === 1 ? 'draining: trainers checkpoint, their runs resume elsewhere; again: at once' : 'at once';
    this.#log.info({ signal }, how);
    this.#asking.abort(new Error(signal));
    if (this.#worker) this.#obey(this.#worker);
    else if (this.#count > 1) this.#urge();
  }

  /** Once: whoever asks for more than that sends another signal. */
  #handOver(): void {
    if (this.#handsOver || this.#count > 0) return;
    this.#handsOver = true;
    this.#log.info('handing over: trainers train on, and the next worker takes them up');
    if (this.#worker) this.#leave(this.#worker);
  }

  #leave(worker: Drainable): void {
    worker.handOver().then(this.#urge, (error) => this.#log.error({ err: error }, 'the worker did not hand over'));
  }

  #obey(worker: Drainable): void {
    const going = this.#count === 1 ? worker.drain() : worker.stopNow();
    going.catch((error) => this.#log.error({ err: error }, 'the worker did not shut down cleanly'));
    if (this.#count > 1) void delay(atOnceMs, undefined, { ref: false }).then(this.#urge);
  }
}

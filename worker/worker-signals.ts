/** What SIGTERM, SIGINT, SIGHUP, SIGUSR2, a batch system's signals and a spot notice ask of a worker. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { handOverSignal } from './worker-lock.ts';

/** After a second signal: to tell the server that sessions have ended, then the process ends whatever it is doing. */
const atOnceMs = 5_000;

/** A worker, as far as signals ask it for anything. */
interface Drainable {
  readonly stopped: Promise<void>;
  /** `seconds`: after which the machine is gone. */
  drain(seconds?: number): Promise<void>;
  handOver(): Promise<void>;
  stopNow(): Promise<void>;
}

const listened = ['SIGTERM', 'SIGINT', 'SIGHUP', handOverSignal] as const;
/** What a batch system sends a while before the time limit, where it is asked to. Where nobody listens, Node opens its debugger. */
const requeueSignal = 'SIGUSR1';

/** What a worker in a batch job ends with that was told to go before the time limit: there may be more to train. EX_TEMPFAIL of sysexits.h. */
export const moreToTrain = 75;

/**
 * SIGTERM and SIGINT from the beginning: one that comes while the worker starts is obeyed as soon as it serves. SIGHUP
 * (the terminal, or npm, is gone) is a first one, and never a second.
 */
export class WorkerSignals {
  readonly #log: Logger;
  readonly #listened: readonly NodeJS.Signals[];
  /** Those that ask once, however often they come. */
  readonly #onlyAsk: ReadonlySet<NodeJS.Signals>;
  #isUrged = false;
  #handsOver = false;
  /** A machine that is taken away tells its programs itself: what follows a notice says nothing new. */
  #awaitsFirst = false;
  #seconds: number | undefined;
  #exitCode = 0;
  #worker: Drainable | null = null;
  #urge: () => void = () => undefined;
  readonly #asking = new AbortController();
  /** Aborted by whatever asks it to drain. */
  readonly asked: AbortSignal = this.#asking.signal;
  /** Resolves when nothing is waited for any more: a while after the second signal, at once while the worker starts. */
  readonly urged = new Promise<null>((resolve) => {
    this.#urge = () => resolve(null);
  });
  readonly #listener = (signal: NodeJS.Signals) => this.#hear(signal);

  /**
   * `inBatchJob`: a batch system (Slurm) may send SIGTERM several times, to the worker alone or to all processes of the job, and has SIGKILL for
   * whom it does not want to wait for. And SIGUSR1 asks to drain.
   */
  constructor(log: Logger, { inBatchJob = false }: { inBatchJob?: boolean } = {}) {
    this.#log = log;
    this.#listened = inBatchJob ? [...listened, requeueSignal] : listened;
    this.#onlyAsk = new Set(inBatchJob ? ['SIGHUP', 'SIGTERM', requeueSignal] : ['SIGHUP']);
    for (const signal of this.#listened) process.on(signal, this.#listener);
  }

  /** Of a worker that obeyed. */
  get exitCode(): number {
    return this.#exitCode;
  }

  /** As a first signal does, which the next one does not turn into a second. `seconds`: after which the machine is gone. */
  ask(why: string, seconds?: number): void {
    if (this.asked.aborted) return;
    this.#awaitsFirst = true;
    this.#drain(why, seconds);
  }

  async obeyedBy(worker: Drainable): Promise<void> {
    this.#worker = worker;
    if (this.asked.aborted) this.#obey(worker);
    else if (this.#handsOver) this.#leave(worker);
    await worker.stopped;
  }

  close(): void {
    for (const signal of this.#listened) process.off(signal, this.#listener);
  }

  #hear(signal: NodeJS.Signals): void {
    if (signal === handOverSignal) return this.#handOver();
    if (!this.asked.aborted) {
      if (signal === requeueSignal) this.#exitCode = moreToTrain;
      return this.#drain(signal);
    }
    if (this.#onlyAsk.has(signal)) return;
    if (this.#awaitsFirst) {
      this.#awaitsFirst = false;
      return;
    }
    this.#log.info({ signal }, 'at once');
    this.#isUrged = true;
    if (this.#worker) this.#obey(this.#worker);
    else this.#urge();
  }

  #drain(why: string, seconds?: number): void {
    this.#log.info(
      { signal: why, ...(seconds === undefined ? {} : { seconds }) },
      'draining: trainers checkpoint, their runs resume elsewhere; again: at once',
    );
    this.#seconds = seconds;
    this.#asking.abort(new Error(why));
    if (this.#worker) this.#obey(this.#worker);
  }

  /** Once: whoever asks for more than that sends another signal. */
  #handOver(): void {
    if (this.#handsOver || this.asked.aborted) return;
    this.#handsOver = true;
    this.#log.info('handing over: trainers train on, and the next worker takes them up');
    if (this.#worker) this.#leave(this.#worker);
  }

  #leave(worker: Drainable): void {
    worker.handOver().then(this.#urge, (error) => this.#log.error({ err: error }, 'the worker did not hand over'));
  }

  #obey(worker: Drainable): void {
    const going = this.#isUrged ? worker.stopNow() : worker.drain(this.#seconds);
    going.catch((error) => this.#log.error({ err: error }, 'the worker did not shut down cleanly'));
    if (this.#isUrged) void delay(atOnceMs, undefined, { ref: false }).then(this.#urge);
  }
}

/** Asks again and again, from before the worker serves until a notice is there. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { SpotNotice, SpotSource } from './spot-source.ts';

/** Failures in a row after which the log says that notices are not heard. */
const unheard = 3;

export class SpotWatch {
  readonly #source: SpotSource;
  readonly #log: Logger;
  readonly #ending = new AbortController();
  #answered: (notice: SpotNotice | null) => void = () => undefined;
  readonly #first = new Promise<SpotNotice | null>((resolve) => {
    this.#answered = resolve;
  });

  constructor(source: SpotSource, log: Logger) {
    this.#source = source;
    this.#log = log;
  }

  /** Calls it once, with the notice. */
  start(onNotice: (notice: SpotNotice) => void): void {
    void this.#watch(onNotice);
  }

  /** The first answer; null, too, where there is none in time. */
  async firstWithin(milliseconds: number): Promise<SpotNotice | null> {
    const waiting = new AbortController();
    try {
      // Nothing else may keep a process alive that is starting.
      return await Promise.race([this.#first, delay(milliseconds, null, { signal: waiting.signal })]);
    } finally {
      waiting.abort();
    }
  }

  stop(): void {
    this.#ending.abort();
  }

  async #watch(onNotice: (notice: SpotNotice) => void): Promise<void> {
    const { signal } = this.#ending;
    for (let failures = 0; !signal.aborted; ) {
      try {
        const notice = await this.#source.look(signal);
        if (signal.aborted) return;
        if (failures >= unheard) this.#log.info('spot notices are heard again');
        failures = 0;
        this.#answered(notice);
        if (notice) return onNotice(notice);
      } catch (error) {
        if (signal.aborted) return;
        if (++failures === unheard)
          this.#log.warn(
            { err: error },
            `EPOCHAL_SPOT: ${this.#source.name} does not answer, so that a spot notice would not be heard`,
          );
      }
      await delay(this.#source.pauseMs, undefined, { ref: false, signal }).catch(() => undefined);
    }
  }
}

/** A worker that serves no workflows itself looks whether somebody does, and says so where nobody does: its runs cannot. */
import type { Logger } from 'pino';

const lookEveryMs = 10_000;

export class ControlWatch {
  readonly #ask: () => Promise<string | null>;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  /** Looks in a row that found nobody: whoever starts with this worker need not be the first. */
  #unserved = 0;

  /** `ask`: why nobody serves workflows; null where somebody does. */
  constructor(ask: () => Promise<string | null>, log: Logger) {
    this.#ask = ask;
    this.#log = log;
  }

  start(): void {
    const look = () => void this.look().catch((error) => this.#log.debug({ err: error }, 'who serves workflows'));
    this.#timer = setInterval(look, lookEveryMs).unref();
    look();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async look(): Promise<void> {
    const why = await this.#ask();
    const before = this.#unserved;
    this.#unserved = why === null ? 0 : before + 1;
    if (this.#unserved === 2) this.#log.warn(why);
    if (why === null && before >= 2) this.#log.info('workflows are served again');
  }
}

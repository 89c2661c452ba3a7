/** Live progress of a session, from its protocol events. */

import type { Progress } from '../contracts/progress.ts';
import type { Phase, TrainerEvent } from '../contracts/protocol.ts';

/** Rates are over the batches of about this long, in milliseconds. */
const rateWindow = 5_000;

export class ProgressMeter {
  #progress: Progress;
  #interrupted: Phase | null = null;
  #window: { at: number; batch: number }[] = [];
  memoryBytes: number | null = null;

  constructor(epoch: number, epochs: number) {
    this.#progress = {
      phase: 'setUp',
      epoch,
      epochs,
      batch: 0,
      batches: null,
      metrics: {},
      rate: null,
      memoryBytes: null,
      at: new Date().toISOString(),
    };
  }

  get current(): Progress {
    return { ...this.#progress, memoryBytes: this.memoryBytes };
  }

  note(event: TrainerEvent): void {
    const at = new Date();
    const before = this.#progress;
    switch (event.type) {
      case 'phase':
        this.#window = [];
        // A checkpoint within a phase interrupts its count, and does not begin it anew.
        if (event.phase === 'save' || (event.phase === this.#interrupted && event.epoch === before.epoch)) {
          if (event.phase !== 'save') this.#interrupted = null;
          else if (before.phase !== 'save') this.#interrupted = before.phase;
          this.#progress = { ...before, phase: event.phase, rate: null, at: at.toISOString() };
          break;
        }
        this.#interrupted = null;
        this.#progress = {
          ...before,
          phase: event.phase,
          epoch: event.epoch,
          batch: 0,
          batches: null,
          rate: null,
          at: at.toISOString(),
        };
        break;
      case 'batch': {
        const { phase, epoch, batch, batches, metrics } = event;
        if (phase !== before.phase || epoch !== before.epoch) this.#window = [];
        this.#window.push({ at: at.getTime(), batch });
        while (this.#window.length > 2 && at.getTime() - (this.#window[1]?.at ?? 0) > rateWindow) this.#window.shift();
        this.#progress = { ...before, phase, epoch, batch, batches, metrics, rate: this.#rate(), at: at.toISOString() };
        break;
      }
      case 'epoch':
        // The next epoch may be under way: its numbers are newer.
        if (before.epoch === event.epoch) {
          this.#progress = { ...before, metrics: event.metrics, at: at.toISOString() };
        }
        break;
      default:
    }
  }

  #rate(): number | null {
    const first = this.#window[0];
    const last = this.#window.at(-1);
    if (!first || !last || last.at === first.at) return null;
    return Math.round(((last.batch - first.batch) / (last.at - first.at)) * 100_000) / 100;
  }
}

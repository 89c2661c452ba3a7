/** Events of a trainer that this worker does not know: ignored, and noted once each, for the trainer may be newer, or its author wrong. */
import type { TrainerEvent } from '../contracts/protocol.ts';

/** So many are noted. */
const mostNoted = 20;

export class UnknownEvents {
  readonly #noted = new Set<string>();

  /** The note of an event that is not known; null of one that is, or was noted before. */
  noteOf(event: TrainerEvent): TrainerEvent | null {
    if (event.type !== 'other' || this.#noted.has(event.was) || this.#noted.size >= mostNoted) return null;
    this.#noted.add(event.was);
    const name = JSON.stringify(event.was.slice(0, 100));
    return { type: 'note', message: `the trainer told of ${name}, which this worker does not know: ignored` };
  }
}

/** Where files of runs are, remembered for a moment: a page asks for many of them at once. */
import { placesIn, type RunPlaces } from '../client/run-places.ts';
import { runAt } from '../contracts/life.ts';
import type { RunView } from '../contracts/run-messages.ts';
import { AnswerCache } from './answer-cache.ts';
import type { Backend } from './temporal-link.ts';

export class PlacesOfRuns {
  readonly #views = new AnswerCache<RunView>(1_000, 200);

  /** `asked`: a run, or one of its lives. */
  async of(backend: Backend, asked: string): Promise<RunPlaces> {
    const run = runAt(asked);
    return placesIn(await this.#views.get(run, () => backend.training.view(run)), asked);
  }
}

/** Places in which the counting trainer waits, so that a fault strikes there and nowhere else, however slow the machine. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../support/until.ts';
import { openToTrainers } from './launched.ts';

export class Hold {
  private constructor(
    private readonly folder: string,
    private readonly places: readonly string[],
  ) {}

  /** `places`: `epoch:batch`, that batch not being done yet, `epoch:v<batch>` in validation, `set_up:<step>` of one with images, `finish`, or `export`, which follows and looks for no stop. */
  static async at(parent: string, places: readonly string[]): Promise<Hold> {
    const folder = await mkdtemp(join(parent, 'hold-'));
    await openToTrainers(folder);
    for (const place of places) await writeFile(join(folder, place), '');
    return new Hold(folder, places);
  }

  /** For the trainer that is to wait. */
  get parameters(): { holds: string } {
    return { holds: this.folder };
  }

  /** Waits until a trainer waits there; every checkpoint before is whole by then. */
  async reached(place: string = this.#only): Promise<void> {
    await until(`a trainer waits in ${place}`, () => existsSync(join(this.folder, `${place} is reached`)));
  }

  /** Lets it continue. One that is told to end, by its worker or for want of one, continues by itself, unless in `export`. */
  async release(place: string = this.#only): Promise<void> {
    await rm(join(this.folder, place));
  }

  get #only(): string {
    const [place] = this.places;
    if (place === undefined || this.places.length > 1) throw new Error(`which one of ${this.places}?`);
    return place;
  }
}

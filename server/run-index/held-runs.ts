/**
 * What the index has of each run beside its rows in SQLite: the text for words, and how much its own fields take. All together have a
 * bound: beyond it, of the oldest runs there is only what Temporal lists. Pure.
 */

export interface HeldRun {
  /** In SQLite. */
  id: number;
  createdAt: string;
  /** What words are looked for in, in lower case. */
  text: string;
  /** Values that the run told itself. */
  values: number;
  /** There are more fields than the index takes. */
  isCut: boolean;
}

export interface HeldLimits {
  /** Some 60 bytes each, in SQLite. */
  values: number;
  /** Of all texts. */
  characters: number;
}

/** What is made room for at once, so that not each run that comes makes room anew. */
const roomMade = 0.05;

export class HeldRuns {
  readonly #runs = new Map<string, HeldRun>();
  #values = 0;
  #characters = 0;
  #cut = 0;

  constructor(private readonly limits: HeldLimits) {}

  /** Some run has fields or words that are not here. */
  get isCut(): boolean {
    return this.#cut > 0;
  }

  get(run: string): HeldRun | undefined {
    return this.#runs.get(run);
  }

  set(run: string, held: HeldRun): void {
    this.delete(run);
    this.#runs.set(run, held);
    this.#count(held, 1);
  }

  delete(run: string): void {
    const held = this.#runs.get(run);
    if (held === undefined) return;
    this.#runs.delete(run);
    this.#count(held, -1);
  }

  /** Of the runs that have it in their text. */
  idsWith(word: string): number[] {
    const ids: number[] = [];
    for (const { id, text } of this.#runs.values()) if (text.includes(word)) ids.push(id);
    return ids;
  }

  /** Without whose own fields and words the others are well within the bounds: the oldest. None while all are. */
  beyond(): string[] {
    const { values, characters } = this.limits;
    if (this.#values <= values && this.#characters <= characters) return [];
    const room = 1 - roomMade;
    let [valuesLeft, charactersLeft] = [this.#values, this.#characters];
    const oldest = [...this.#runs].sort(([, a], [, b]) => (a.createdAt < b.createdAt ? -1 : 1));
    const found: string[] = [];
    for (const [run, held] of oldest) {
      if (valuesLeft <= values * room && charactersLeft <= characters * room) break;
      if (held.values === 0) continue;
      found.push(run);
      valuesLeft -= held.values;
      charactersLeft -= held.text.length;
    }
    return found;
  }

  #count({ values, text, isCut }: HeldRun, sign: 1 | -1): void {
    this.#values += sign * values;
    this.#characters += sign * text.length;
    if (isCut) this.#cut += sign;
  }
}

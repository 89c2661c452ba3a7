/** The observers of a run: what happens is put into the outbox, and a teller for each brings it there. */
import * as wf from '@temporalio/workflow';
import type { ObservedEvent } from '../contracts/observed-events.ts';
import { DurableChart } from './durable.ts';
import { type Change, emptyOutbox, heard, noted, type Outbox, untold } from './outbox.ts';
import { tellerChart } from './teller-chart.ts';

/** How long the end of a run waits for observers to be told of it. */
const endSeconds = 30;
/** Events in one delivery: it is one message. */
const mostAtOnce = 100;

/** Brings events to an observer, and answers the number of the last one that it has now. May be called again with the same ones. */
export type Tell = (observer: string, events: readonly ObservedEvent[]) => Promise<number>;

export class Tellers {
  readonly #tell: Tell;
  readonly #charts = new Map<string, DurableChart<typeof tellerChart>>();
  #outbox: Outbox | null = null;

  constructor(tell: Tell) {
    this.#tell = tell;
  }

  /** Null while nobody observes. */
  get outbox(): Outbox | null {
    return this.#outbox;
  }

  /** From now on these observe. `before`: of the workflow run before this one. */
  begin(observers: readonly string[], before: Outbox | null = null): void {
    if (observers.length === 0) return;
    this.#outbox = before ?? emptyOutbox(observers);
    for (const observer of observers) {
      const chart = new DurableChart<typeof tellerChart>({
        machine: tellerChart,
        perform: () => this.#deliver(observer),
      });
      chart.start({ observer });
      this.#charts.set(observer, chart);
      if (untold(this.#outbox, observer).length > 0) chart.send({ type: 'NEWS' });
    }
  }

  note(change: Change): void {
    if (!this.#outbox) return;
    const { last } = this.#outbox;
    this.#outbox = noted(this.#outbox, change);
    if (this.#outbox.last > last) this.#send('NEWS');
  }

  /** Nothing is told any more: the workflow goes on in a new run. */
  hush(): void {
    this.#send('RENEWING');
  }

  /** Resolves once everybody has been told of everything, or nobody waits for it any longer. */
  async end(): Promise<void> {
    this.#send('ENDING');
    const charts = [...this.#charts.values()];
    const isOver = () => charts.every(({ snapshot }) => snapshot.status === 'done');
    if (isOver() || (await wf.condition(isOver, `${endSeconds}s`))) return;
    wf.log.warn('observers were not told of the end in time', {
      observers: charts.flatMap(({ snapshot }) => (snapshot.status === 'done' ? [] : [snapshot.context.observer])),
    });
    this.hush();
  }

  #send(type: 'NEWS' | 'ENDING' | 'RENEWING'): void {
    for (const chart of this.#charts.values()) chart.send({ type });
  }

  async #deliver(observer: string): Promise<{ hasNews: boolean }> {
    const events = this.#outbox ? untold(this.#outbox, observer).slice(0, mostAtOnce) : [];
    if (!this.#outbox || events.length === 0) return { hasNews: false };
    const told = await this.#tell(observer, events);
    this.#outbox = heard(this.#outbox, observer, told);
    return { hasNews: untold(this.#outbox, observer).length > 0 };
  }
}

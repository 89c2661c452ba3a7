/** The observers of a run: what happens is put into the outbox, and a teller for each brings it there. */
import * as wf from '@temporalio/workflow';
import type { ObservedBy, ObservedEvent } from '../contracts/observed-events.ts';
import { DurableChart } from './durable.ts';
import {
  begun,
  type Change,
  emptyOutbox,
  heard,
  type Left,
  leftIn,
  nextFor,
  noted,
  type Outbox,
  untold,
} from './outbox.ts';
import { QueueWatch } from './queue-watch.ts';
import { observersEndSeconds } from './run-activities.ts';
import { type Delivery, tellerChart } from './teller-chart.ts';

/** Brings events to an observer, and answers the number of the last one that it has now. May be called again with the same ones. */
export type Tell = (events: readonly ObservedEvent[], delivery: Delivery) => Promise<number>;

export class Tellers {
  readonly #tell: Tell;
  /** What begins in a handler of an update or a signal must not end with a cancel of the workflow. */
  readonly #home = wf.CancellationScope.current();
  readonly #charts = new Map<string, DurableChart<typeof tellerChart>>();
  #outbox: Outbox | null = null;
  #queueLimits: readonly number[] = [];
  #change: Change | null = null;
  readonly #queue: QueueWatch;

  /** What tellers do lives in the scope that this is called in. */
  constructor(tell: Tell) {
    this.#tell = tell;
    this.#queue = new QueueWatch(this.#home, (seconds) => this.#noteQueued(seconds));
  }

  /** Null while nobody observes. */
  get outbox(): Outbox | null {
    return this.#outbox;
  }

  /** From now on these observe. `before`: of the workflow run before this one. */
  begin(observers: readonly ObservedBy[], before: Outbox | null = null): void {
    if (observers.length === 0) return;
    this.#outbox = before ?? emptyOutbox(observers);
    this.#queueLimits = observers.flatMap(({ waitsFor }) => waitsFor?.queued ?? []);
    for (const { name: observer } of observers) {
      const chart = new DurableChart<typeof tellerChart>({
        machine: tellerChart,
        perform: (_, input) => this.#deliver(input as Delivery),
      });
      chart.start({ observer }, this.#home);
      this.#charts.set(observer, chart);
      if (untold(this.#outbox, observer).length > 0) chart.send({ type: 'NEWS' });
    }
  }

  note(change: Change): void {
    if (!this.#outbox) return;
    this.#change = change;
    this.#queue.note(change.to.detail === 'training.acquiring', this.#queueLimits);
    this.#tellOf(change);
  }

  #tellOf(change: Change): void {
    if (!this.#outbox) return;
    const { last } = this.#outbox;
    this.#outbox = noted(this.#outbox, change);
    if (this.#outbox.last === last) return;
    for (const [observer, chart] of this.#charts) {
      const newest = untold(this.#outbox, observer).at(-1);
      if (newest && newest.seq > last) chart.send({ type: 'NEWS' });
    }
  }

  #noteQueued(queuedSeconds: number): void {
    if (!this.#change) return;
    const { after, to } = this.#change;
    this.#tellOf({ ...this.#change, before: after, from: to, asked: undefined, now: new Date(), queuedSeconds });
  }

  /** Nothing more is told: the workflow continues in a new run. */
  hush(): void {
    this.#send('RENEWING');
  }

  /** Resolves once everybody has been told of everything, or nobody waits for it any longer: with what is left. */
  async end(): Promise<Left> {
    this.#send('ENDING');
    const charts = [...this.#charts.values()];
    const isOver = () => charts.every(({ snapshot }) => snapshot.status === 'done');
    if (isOver() || (await wf.condition(isOver, `${observersEndSeconds}s`))) return this.#left;
    wf.log.warn('observers were not told of the end in time', {
      observers: charts.flatMap(({ snapshot }) => (snapshot.status === 'done' ? [] : [snapshot.context.observer])),
    });
    this.hush();
    return this.#left;
  }

  get #left(): Left {
    return leftIn(this.#outbox, [...this.#charts.keys()]);
  }

  #send(type: 'ENDING' | 'RENEWING'): void {
    for (const chart of this.#charts.values()) chart.send({ type });
  }

  async #deliver(delivery: Delivery): Promise<{ hasNews: boolean }> {
    const { observer } = delivery;
    if (!this.#outbox) return { hasNews: false };
    const all = untold(this.#outbox, observer);
    const next = nextFor(this.#outbox, observer);
    // Histories of before deliveries had a limit answer for all of it.
    const events = next.length < all.length && !wf.patched('limited-delivery') ? all : next;
    const newest = events.at(-1);
    if (!newest) return { hasNews: false };
    this.#outbox = begun(this.#outbox, observer, newest.seq);
    const told = await this.#tell(events, delivery);
    this.#outbox = heard(this.#outbox, observer, Math.min(told, newest.seq));
    return { hasNews: untold(this.#outbox, observer).length > 0 };
  }
}

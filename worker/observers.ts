/** Who is told of the runs of this pool. */
import type { ObservedBy } from '../contracts/observed-events.ts';
import { EventsFile } from '../observers/events-file.ts';
import type { Observer } from '../observers/observer.ts';
import { Webhook } from '../observers/webhook.ts';
import type { WebhookSettings } from '../observers/webhook-settings.ts';

export class Observers {
  readonly #observers: ReadonlyMap<string, Observer>;

  constructor(webhook: WebhookSettings | null) {
    const all: Observer[] = [new EventsFile(), ...(webhook ? [new Webhook(webhook)] : [])];
    this.#observers = new Map(all.map((observer) => [observer.name, observer]));
  }

  get all(): ObservedBy[] {
    return [...this.#observers.values()].map(({ name, kinds }) => ({ name, kinds: [...kinds] }));
  }

  /** Throws where this worker has no such observer: another one of the pool may. */
  get(name: string): Observer {
    const observer = this.#observers.get(name);
    if (observer) return observer;
    const names = [...this.#observers.keys()].join(', ');
    throw new Error(`this worker has no observer ${name}: it has ${names}`);
  }
}

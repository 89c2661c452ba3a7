/** Who is told of the runs of this pool, by name. */
import { EventsFile } from '../observers/events-file.ts';
import type { Observer } from '../observers/observer.ts';
import { Webhook, type WebhookSettings } from '../observers/webhook.ts';

export class Observers {
  readonly #observers: ReadonlyMap<string, Observer>;

  constructor(webhook: WebhookSettings | null) {
    const all: Observer[] = [new EventsFile(), ...(webhook ? [new Webhook(webhook)] : [])];
    this.#observers = new Map(all.map((observer) => [observer.name, observer]));
  }

  get names(): string[] {
    return [...this.#observers.keys()];
  }

  /** Throws where this worker has no such observer: another one of the pool may. */
  get(name: string): Observer {
    const observer = this.#observers.get(name);
    if (!observer) throw new Error(`this worker has no observer ${name}: it has ${this.names.join(', ')}`);
    return observer;
  }
}

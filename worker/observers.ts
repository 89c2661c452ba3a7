/** Who is told of the runs of this pool. */
import type { ObservedBy } from '../contracts/observed-events.ts';
import { EventsFile } from '../observers/events-file.ts';
import { Notifier } from '../observers/notifier.ts';
import type { NotifySettings } from '../observers/notify-settings.ts';
import type { Observer } from '../observers/observer.ts';
import { SuperviselyExperiment } from '../observers/supervisely-experiment.ts';
import { SuperviselyTask, superviselyTask } from '../observers/supervisely-task.ts';
import { Webhook } from '../observers/webhook.ts';
import type { WebhookSettings } from '../observers/webhook-settings.ts';

export class Observers {
  readonly #observers: ReadonlyMap<string, Observer>;

  /** `stores`: what the addresses of those begin with that this worker opens; null: any. `env`: where the secrets are that `notify` names, and what an agent of Supervisely tells. */
  constructor(
    webhook: WebhookSettings | null,
    notify: NotifySettings | null,
    stores: readonly string[] | null = [],
    env: NodeJS.ProcessEnv = process.env,
  ) {
    const targets = Object.entries(notify?.targets ?? {});
    const notifiers = notify ? targets.map(([name, target]) => new Notifier(name, target, notify, env)) : [];
    const task = superviselyTask(env);
    const hasTeamFiles = stores
      ? stores.some((address) => /^teamfiles:/i.test(address))
      : Boolean(env.SERVER_ADDRESS && env.API_TOKEN);
    const all: Observer[] = [
      new EventsFile(),
      ...(webhook ? [new Webhook(webhook)] : []),
      ...(task === null ? [] : [new SuperviselyTask(task, hasTeamFiles)]),
      ...(task === null && hasTeamFiles ? [new SuperviselyExperiment()] : []),
      // One without rules is there to be tested.
      ...notifiers.filter(({ kinds }) => kinds.length > 0),
    ];
    this.#observers = new Map(all.map((observer) => [observer.name, observer]));
  }

  get all(): ObservedBy[] {
    return [...this.#observers.values()].map(({ name, kinds, waitsFor }) => ({
      ...{ name, kinds: [...kinds] },
      ...(waitsFor ? { waitsFor } : {}),
    }));
  }

  /** Throws where this worker has no such observer: another one of the pool may. */
  get(name: string): Observer {
    const observer = this.#observers.get(name);
    if (observer) return observer;
    const names = [...this.#observers.keys()].join(', ');
    throw new Error(`this worker has no observer ${name}: it has ${names}`);
  }
}

/** Who is told of the runs of this pool. */
import type { ObservedBy } from '../contracts/observed-events.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import { EventsFile } from '../observers/events-file.ts';
import { Notifier } from '../observers/notifier.ts';
import type { NotifySettings } from '../observers/notify-settings.ts';
import type { Observer } from '../observers/observer.ts';
import { SuperviselyExperiment } from '../observers/supervisely-experiment.ts';
import { SuperviselyTask, superviselyTask } from '../observers/supervisely-task.ts';
import { trackerKinds } from '../observers/tracker.ts';
import { Webhook } from '../observers/webhook.ts';
import type { WebhookSettings } from '../observers/webhook-settings.ts';
import { Trackers, type TrackersOptions } from './trackers.ts';

export interface ObserversOptions {
  webhook: WebhookSettings | null;
  notify: NotifySettings | null;
  trackers: TrackersOptions['defaults'];
  /** What the addresses of those begin with that this worker opens; null: any. */
  stores?: readonly string[] | null;
  /** Where the secrets are that `notify` names, and those of trackers, and what an agent of Supervisely tells. */
  env?: NodeJS.ProcessEnv;
  onProgress?: TrackersOptions['onProgress'];
}

export class Observers {
  /** Of every run. */
  readonly #observers: ReadonlyMap<string, Observer>;
  /** Of runs that choose them. */
  readonly trackers: Trackers;

  constructor({ webhook, notify, trackers, stores = [], env = process.env, onProgress }: ObserversOptions) {
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
    this.trackers = new Trackers({ defaults: trackers, env, onProgress });
  }

  /** Who is to be told of a run. A tracker that this worker cannot tell is among them, for another one may. */
  of(config: Pick<RunConfig, 'trackers'>): ObservedBy[] {
    const trackers = this.trackers
      .chosen(config)
      .map(({ name }) => ({ name, kinds: trackerKinds, waitsFor: undefined }));
    return [...this.#observers.values(), ...trackers].map(({ name, kinds, waitsFor }) => ({
      ...{ name, kinds: [...kinds] },
      ...(waitsFor ? { waitsFor } : {}),
    }));
  }

  /** Throws where this worker has no such observer: another one of the pool may. */
  get(name: string, config: Pick<RunConfig, 'trackers'>): Observer {
    const observer = this.#observers.get(name);
    if (observer) return observer;
    const tracker = this.trackers.chosen(config).find((one) => one.name === name);
    if (tracker) return this.trackers.get(tracker);
    const names = [...this.#observers.keys()].join(', ');
    throw new Error(`this worker has no observer ${name}: it has ${names}`);
  }

  close(): void {
    this.trackers.close();
  }
}

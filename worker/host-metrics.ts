/** What a host tells Prometheus of itself: slots, waits, what it stores and whom it tells. Labels name no runs. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What is looked up when somebody asks. */
export interface HostNow {
  host: string;
  pool: string;
  version: string;
  slots: { readonly total: number; readonly taken: readonly string[] };
  /** Of the session that has gone without a word from its run for longest; null while there is none. */
  sessions: { readonly longestIdleMs: number | null };
}

export class HostMetrics {
  readonly #registry = new Registry();
  readonly #waits = this.#histogram(
    'epochal_queue_wait_seconds',
    'How long runs waited for a slot that this host gave them',
    [1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600],
  );
  readonly #lags = this.#histogram(
    'epochal_store_lag_seconds',
    'From a checkpoint on disk to its verified copy in the store',
    [0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600],
  );
  readonly #bytes = this.#counter('epochal_stored_bytes_total', 'Bytes copied to stores', []);
  readonly #deliveries = this.#counter('epochal_deliveries_total', 'Deliveries of events to observers', [
    'observer',
    'result',
  ]);

  constructor({ host, pool, version, slots, sessions }: HostNow) {
    this.#registry.setDefaultLabels({ pool });
    const registers = [this.#registry];
    new Gauge({
      ...{ name: 'epochal_worker_info', help: 'Always 1; who this is', labelNames: ['host', 'version'], registers },
    }).set({ host, version }, 1);
    new Gauge({ name: 'epochal_slots', help: 'Slots of this host', registers }).set(slots.total);
    new Gauge({
      ...{ name: 'epochal_slots_used', help: 'Slots that a session has', registers },
      collect() {
        this.set(slots.taken.length);
      },
    });
    new Gauge({
      name: 'epochal_heartbeat_age_seconds',
      help: 'How long the session that waits longest for a word from its run has waited; 0 without sessions',
      registers,
      collect() {
        this.set((sessions.longestIdleMs ?? 0) / 1000);
      },
    });
  }

  readonly exposed = (): Promise<string> => this.#registry.metrics();

  waited(seconds: number): void {
    this.#waits.observe(Math.max(0, seconds));
  }

  /** `createdAt`: when the checkpoint was whole on disk. */
  stored(createdAt: string): void {
    this.#lags.observe(Math.max(0, (Date.now() - Date.parse(createdAt)) / 1000));
  }

  copied(bytes: number): void {
    this.#bytes.inc(bytes);
  }

  delivered(observer: string, result: 'told' | 'failed' | 'refused'): void {
    this.#deliveries.inc({ observer, result });
  }

  #counter<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name, help, buckets, registers: [this.#registry] });
  }
}

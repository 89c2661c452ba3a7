/** What is counted, for Prometheus, of all runs whose workflows this process serves. Labels name neither runs nor hosts. */
import type { InjectedSinks } from '@temporalio/worker';
import { Counter, Histogram, Registry } from 'prom-client';
import type { RunMeasure, RunSinks } from '../../contracts/run-measures.ts';

export class RunMetrics {
  readonly #registry = new Registry();
  readonly #seconds = this.#counter('epochal_run_seconds_total', 'Time that runs spent in each state', ['state']);
  readonly #epochs = this.#counter('epochal_epochs_total', 'Epochs that became complete');
  readonly #trained = this.#counter('epochal_training_seconds_total', 'Time that complete epochs took to train');
  readonly #restarts = this.#counter('epochal_restarts_total', 'Restarts of runs', ['cause']);
  readonly #wasted = this.#counter('epochal_wasted_batches_total', 'Training batches that were trained and lost', [
    'cause',
  ]);
  readonly #ended = this.#counter('epochal_runs_ended_total', 'Runs that ended', ['outcome']);
  readonly #stops = new Histogram({
    name: 'epochal_stop_seconds',
    help: 'From the decision to stop to the proven end of the trainer',
    labelNames: ['mode'],
    buckets: [0.5, 1, 2, 5, 10, 20, 40, 60, 120, 300, 900, 3600],
    registers: [this.#registry],
  });

  /** For Temporal's worker. It calls them with what happens for the first time, and not with what is replayed. */
  readonly sinks: InjectedSinks<RunSinks> = {
    runs: { measured: { fn: (_, measure) => this.note(measure), callDuringReplay: false } },
  };

  readonly exposed = (): Promise<string> => this.#registry.metrics();

  note({ spent, epochs, restart, wasted, stopped, ended }: RunMeasure): void {
    if (spent) this.#seconds.inc({ state: spent.state }, spent.seconds);
    this.#epochs.inc(epochs.count);
    this.#trained.inc(epochs.seconds);
    if (restart) this.#restarts.inc({ cause: restart });
    if (wasted) this.#wasted.inc({ cause: wasted.cause }, wasted.batches);
    if (stopped) this.#stops.observe({ mode: stopped.mode }, stopped.seconds);
    if (ended) this.#ended.inc({ outcome: ended });
  }

  #counter<Label extends string>(name: string, help: string, labelNames: readonly Label[] = []): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }
}

/** Where nobody counts: Temporal's worker complains of what a workflow tells to nobody. */
export const uncounted: InjectedSinks<RunSinks> = { runs: { measured: { fn: () => undefined } } };

/** For how long a run has waited in the queue of its pool, where somebody wants to know. A timer is in a history: there is none for nobody. */
import * as wf from '@temporalio/workflow';

export class QueueWatch {
  readonly #home: wf.CancellationScope;
  readonly #onQueued: (seconds: number) => void;
  #scope: wf.CancellationScope | null = null;

  /** Timers live in `home`. `onQueued` is called for each of the limits, once a wait. */
  constructor(home: wf.CancellationScope, onQueued: (seconds: number) => void) {
    this.#home = home;
    this.#onQueued = onQueued;
  }

  note(isQueued: boolean, limits: readonly number[]): void {
    if (isQueued === (this.#scope !== null)) return;
    this.#scope?.cancel();
    this.#scope = null;
    if (!isQueued || limits.length === 0) return;
    const scope = new wf.CancellationScope({ cancellable: true, parent: this.#home });
    this.#scope = scope;
    const ordered = [...new Set(limits)].sort((a, b) => a - b);
    scope
      .run(async () => {
        let passed = 0;
        for (const seconds of ordered) {
          await wf.sleep((seconds - passed) * 1000);
          passed = seconds;
          this.#onQueued(seconds);
        }
      })
      .catch((error: unknown) => {
        if (!wf.isCancellation(error)) throw error;
      });
  }
}

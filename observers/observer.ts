/** Who is told of the events of runs. One file each; `worker/observers.ts` has those of a pool. */
import type { ObservedEvent } from '../contracts/observed-events.ts';
import type { ArtifactStore } from '../stores/artifact-store.ts';

/** The run that is observed: its output folder is `output` in `store`. */
export interface ObservedRun {
  run: string;
  store: ArtifactStore;
  output: string;
}

export interface Observer {
  /** What a run calls it: it is remembered with how much it was told. */
  readonly name: string;
  /**
   * Resolves once it has all of `events`, which are in order. It may have been told of some of them before: that changes nothing. Throws
   * what is to be tried again, as often as the run waits for it.
   */
  tell(events: readonly ObservedEvent[], run: ObservedRun, signal: AbortSignal): Promise<void>;
}

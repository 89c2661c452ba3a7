/** Who is told of the events of runs. One file each; `worker/observers.ts` has those of a pool. */
import type { ObservedBy, ObservedEvent } from '../contracts/observed-events.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import type { ArtifactStore } from '../stores/artifact-store.ts';

/** The run that is observed. */
export interface ObservedRun {
  run: string;
  project: string;
  trainer: string;
  /** That are planned. */
  epochs: number;
  /** Where its life has its files: no other life has it. */
  place: string;
  /** The one of its life that asks; null where nobody knows. */
  execution: string | null;
  config: RunConfig;
  /** Its output folder, which is `folder` in `store`. Only who writes there asks for it: a store that is unavailable keeps no other from being told. */
  output(): Promise<{ store: ArtifactStore; folder: string }>;
  /** Where files lie on their way from one place in a store to another: a worker that starts empties it. It may not be there yet. */
  moving: string;
}

export interface Observer {
  /** What a run calls it: it is remembered with how much it was told. */
  readonly name: string;
  /** Of which events it is told. */
  readonly kinds: readonly string[];
  /** What is an event for its sake alone. */
  readonly waitsFor?: ObservedBy['waitsFor'] | undefined;
  /**
   * Tells it of `events`, which are in order, and of how far that got: `onTold` with the number of each that it has for good. It may have
   * been told of some of them before: that changes nothing. It may return before the last one, but not before the first. Throws what is to be tried again, as often as the run waits for it. The message
   * is kept in the run's history: it has no secret in it.
   */
  tell(events: readonly ObservedEvent[], run: ObservedRun, delivery: Delivery): Promise<void>;
}

export interface Delivery {
  signal: AbortSignal;
  onTold: (seq: number) => void;
  /** It does not take this event, whoever tells it again: that goes into the worker's log. */
  onRefused: (event: ObservedEvent, why: string) => void;
}

/** What observers of a run had not been told when it ended: a workflow beside it tells them. */
import type { Owner } from './life.ts';
import type { ObservedEvent } from './observed-events.ts';
import type { RunConfig } from './run-config.ts';

/** Of one observer: the numbers of those of the events that it is to be told. */
export interface Untold {
  observer: string;
  seqs: readonly number[];
}

/** Each event is there once, whoever is to be told of it: a message of Temporal has 2 MB, and a pool may have two dozen observers. */
export interface TellLaterInput extends Owner {
  run: string;
  config: RunConfig;
  /** Oldest first. */
  events: readonly ObservedEvent[];
  untold: readonly Untold[];
}

/** Workflow id, of what is left to tell of a run's life. No run id has a colon: it is never that of a run. */
export const tellLaterId = (place: string): string => `tell-later:${place}`;

/**
 * In `EpochalState`, which no run has: a server replays what is open by state, and one of a version before these workflows would otherwise not take
 * over while one is open. It tells nobody, but runs go on.
 */
export const tellLaterState = 'tellingLater';

/** What observers of a run had not been told when it ended: a workflow beside it tells them. */
import type { Owner } from './life.ts';
import type { ObservedEvent } from './observed-events.ts';
import type { RunConfig } from './run-config.ts';

/** Of one observer, oldest first. */
export interface Untold {
  observer: string;
  events: readonly ObservedEvent[];
}

export interface TellLaterInput extends Owner {
  run: string;
  config: RunConfig;
  untold: readonly Untold[];
}

/** Workflow id, of what is left to tell of a run's life. */
export const tellLaterId = (place: string): string => `tell-later-${place}`;

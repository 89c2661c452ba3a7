import { isAway } from './call.ts';

/** What is away comes back: who failed for that asks again so soon, in milliseconds. */
const awayMs = 2_000;

interface Asked {
  state: { error: Error | null };
}

/**
 * When a query asks again: as `own` says, in milliseconds, and by itself after it failed because something was away. Every interval of a query goes
 * through here: one that stands alone would take the place of the app's, and what is asked for once would stay away for good.
 */
export const askedEvery =
  <Q extends Asked>(own: number | false | ((query: Q) => number | false)) =>
  (query: Q): number | false => {
    if (isAway(query.state.error)) return awayMs;
    return typeof own === 'function' ? own(query) : own;
  };

/** The times of a run: when each state was entered, how long it lasted, and what happened when. Pure, clock given. */
import type { RunState } from '../contracts/receipt.ts';
import type { RunEvent } from '../contracts/run-messages.ts';

const mostEvents = 200;
const longestMessage = 300;
/** As many restarts as a run remembers. */
const mostRestartTimes = 200;

export interface RunStory {
  startedAt: string;
  /** When it left `configuring` to train: a draft may have waited for long. Absent from what older versions carried on. */
  beganAt?: string | null;
  state: RunState;
  enteredStateAt: string;
  /** Of the states that are over; the present one is added when asked. */
  pastSeconds: Record<string, number>;
  events: RunEvent[];
  /** One per restart, in order. */
  restartTimes: string[];
}

export function beginStory(now: Date): RunStory {
  const at = now.toISOString();
  return {
    startedAt: at,
    beganAt: null,
    state: 'configuring',
    enteredStateAt: at,
    pastSeconds: {},
    events: [],
    restartTimes: [],
  };
}

export function enterState(story: RunStory, state: RunState, now: Date): RunStory {
  if (state === story.state) return story;
  return {
    ...story,
    beganAt: story.beganAt ?? (state === 'training' ? now.toISOString() : null),
    state,
    enteredStateAt: now.toISOString(),
    pastSeconds: stateSeconds(story, now),
    events: withEvent(story.events, state, now),
  };
}

export function tell(story: RunStory, message: string, now: Date): RunStory {
  return { ...story, events: withEvent(story.events, message, now) };
}

/** The times of restarts follow them: one more was noted, or one was taken back. */
export function timeRestarts(
  story: RunStory,
  before: readonly unknown[],
  after: readonly unknown[],
  now: Date,
): RunStory {
  const { restartTimes } = story;
  if (after.length < before.length) {
    const gone = before.findIndex((restart, index) => restart !== after[index]);
    return { ...story, restartTimes: restartTimes.toSpliced(gone, 1) };
  }
  if (after.at(-1) === before.at(-1)) return story;
  return { ...story, restartTimes: [...restartTimes, now.toISOString()].slice(-mostRestartTimes) };
}

/** Seconds spent in each state until `now`. */
export function stateSeconds(story: RunStory, now: Date): Record<string, number> {
  const present = (now.getTime() - Date.parse(story.enteredStateAt)) / 1000;
  return { ...story.pastSeconds, [story.state]: round((story.pastSeconds[story.state] ?? 0) + present) };
}

const withEvent = (events: readonly RunEvent[], message: string, now: Date): RunEvent[] =>
  [...events, { at: now.toISOString(), message: message.slice(0, longestMessage) }].slice(-mostEvents);

const round = (seconds: number) => Math.round(seconds * 1000) / 1000;

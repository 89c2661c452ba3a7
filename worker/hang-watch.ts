/**
 * Notices a trainer that no longer moves. What is long is learned from the run's own batches: several times the
 * longest silence seen in a phase, once it is warm, between a floor and a ceiling from the configuration.
 *
 * Saving never counts as a hang while the checkpoint grows: only a save without a byte for the whole ceiling does.
 * Nobody hears a trainer while the worker itself stands still (SIGSTOP, a paused machine): what it said meanwhile is still
 * to be read when the watch continues, so that such a time is not a silence.
 *
 * Waiting for a grant, and what follows the last epoch, have limits of their own elsewhere.
 */

import type { Phase, TrainerEvent } from '../contracts/protocol.ts';
import type { Deadlines } from '../contracts/run-config.ts';

/** The first batches of a phase are slow for good reasons (compilers, caches, data loaders): they teach nothing. */
const warmUpGaps = 5;
/** A silence this many times longer than any before is not a batch. */
const patience = 8;
/** Between two looks there is half a second. Where it was this long, in milliseconds, the worker stood still. */
const longestPause = 2_000;

type WatchedPhase = Extract<Phase, 'train' | 'validate' | 'save'>;
const isWatched = (phase: Phase): phase is WatchedPhase =>
  phase === 'train' || phase === 'validate' || phase === 'save';

export class HangWatch {
  readonly #limits: Pick<Deadlines, 'hangFloorSeconds' | 'hangCeilingSeconds'>;
  readonly #now: () => number;
  #phase: Phase = 'setUp';
  #lastSign: number;
  /** Since when the watch waits for its next look. */
  #pausedAt: number | null = null;
  /** Gaps seen in a phase, and the longest of those after the warm-up, in milliseconds. */
  readonly #seen = new Map<Phase, { gaps: number; longest: number }>();

  /** `now` is in milliseconds and monotonic: a wall clock that jumps must not look like a hang. */
  constructor(
    limits: Pick<Deadlines, 'hangFloorSeconds' | 'hangCeilingSeconds'>,
    now: () => number = () => performance.now(),
  ) {
    this.#limits = limits;
    this.#now = now;
    this.#lastSign = now();
  }

  get phase(): Phase {
    return this.#phase;
  }

  get silentSeconds(): number {
    return (this.#now() - this.#lastSign) / 1000;
  }

  /** Any event is a sign of life; those of batches teach how long a batch takes. */
  note(event: TrainerEvent): void {
    this.#forgiveStandstill();
    if (event.type === 'batch' && event.phase === this.#phase) this.#learn(this.#now() - this.#lastSign);
    if (event.type === 'phase') this.#phase = event.phase;
    this.alive();
  }

  /** Something else shows that it moves: a checkpoint that grows, a grant that it was waiting for. */
  alive(): void {
    this.#lastSign = this.#now();
  }

  /** The pause before the next look begins. */
  pause(): void {
    this.#pausedAt = this.#now();
  }

  /** It is over. */
  look(): void {
    this.#forgiveStandstill();
    this.#pausedAt = null;
  }

  #forgiveStandstill(): void {
    if (this.#pausedAt !== null && this.#now() - this.#pausedAt > longestPause) this.alive();
  }

  /** Seconds of silence that are a hang in this phase; null where another limit holds. */
  get limitSeconds(): number | null {
    if (!isWatched(this.#phase)) return null;
    const { hangFloorSeconds: floor, hangCeilingSeconds: ceiling } = this.#limits;
    const seen = this.#seen.get(this.#phase);
    if (this.#phase === 'save' || !seen || seen.gaps < warmUpGaps) return ceiling;
    return Math.min(ceiling, Math.max(floor, (seen.longest * patience) / 1000));
  }

  get hangs(): boolean {
    const limit = this.limitSeconds;
    return limit !== null && this.silentSeconds > limit;
  }

  /** The same in a save, whatever the phase: nobody tells of that of a snapshot. */
  get saveLimitSeconds(): number {
    return this.#limits.hangCeilingSeconds;
  }

  #learn(gap: number): void {
    const { gaps, longest } = this.#seen.get(this.#phase) ?? { gaps: 0, longest: 0 };
    this.#seen.set(this.#phase, { gaps: gaps + 1, longest: gaps < warmUpGaps ? longest : Math.max(longest, gap) });
  }
}

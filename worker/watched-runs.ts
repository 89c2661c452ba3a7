/**
 * Runs that somebody watches: what is done for them tells of itself several times a second, and of any other run as seldom as
 * its timeout allows. Whoever watches asks again before the lease ends; however many do, a run has one.
 */
const leaseSeconds = 30;

export class WatchedRuns {
  readonly #leases = new Map<string, { endsAt: number; until: string }>();

  /** `now`: of a clock that is never set. */
  constructor(readonly now: () => number = () => performance.now()) {}

  /** Answers for how long, in seconds. */
  watch(run: string): number {
    const now = this.now();
    for (const [other, { endsAt }] of this.#leases) if (endsAt <= now) this.#leases.delete(other);
    const milliseconds = leaseSeconds * 1000;
    const until = new Date(Date.now() + milliseconds).toISOString();
    this.#leases.set(run, { endsAt: now + milliseconds, until });
    return leaseSeconds;
  }

  /** Another one with each lease, for those who watch to see that somebody asked; null while nobody watches. */
  until(run: string): string | null {
    const lease = this.#leases.get(run);
    return lease && lease.endsAt > this.now() ? lease.until : null;
  }
}

/**
 * Whoever watches a run has its host tell of it several times a second. A host knows for a while that a run is watched, and says so
 * with its progress: all who watch see it, so that one of them asks for all.
 */
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { hostOfQueue } from '../contracts/queues.ts';
import type { LiveProgress } from './live-progress.ts';

type Described = Pick<WorkflowExecutionDescription, 'raw'>;

/** For as long as it takes a host to be there, and to be told of. */
const firstRetryMs = 3_000;
/** Of a host that does not answer, or knows no leases and always tells. */
const longestRetryMs = 60_000;

export class ProgressLease {
  #host: string | null = null;
  /** As the host told last, and from when on it is old enough to ask again: the clock of another machine says nothing. */
  #until: string | undefined;
  #askAt = 0;
  /** When the run was last looked at. */
  #lookedAt = Number.NEGATIVE_INFINITY;
  #retryMs = firstRetryMs;
  #leaseMs = 30_000;

  /** `ask` has the host watched, and answers for how many seconds. */
  constructor(
    private readonly ask: (host: string) => Promise<number>,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** After each look at the run. Returns at once. */
  keep(described: Described, live: readonly LiveProgress[]): void {
    const host = hostThatTrains(described);
    if (host === null) return;
    const now = this.now();
    if (host !== this.#host) {
      this.#host = host;
      this.#until = undefined;
      this.#askAt = 0;
      this.#lookedAt = Number.NEGATIVE_INFINITY;
      this.#retryMs = firstRetryMs;
    }
    const progress = live.find((item) => item.kind === 'progress')?.progress;
    if (progress && progress.watchedUntil !== this.#until) {
      // A worker that has just started knows of none.
      if (progress.watchedUntil === undefined) this.#askAt = 0;
      // As long ago as it may be: a lease that ran out unseen is told of until the host tells again.
      else this.#renewedAt(this.#lookedAt);
      this.#until = progress.watchedUntil;
    }
    this.#lookedAt = now;
    if (now < this.#askAt) return;
    this.#askAt = now + this.#retryMs;
    this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs);
    void this.ask(host).then(
      (seconds) => {
        if (host !== this.#host) return;
        this.#leaseMs = seconds * 1000;
        this.#renewedAt(this.now());
      },
      () => undefined,
    );
  }

  /** Those who saw the same lease do not ask in the same moment. */
  #renewedAt(time: number): void {
    this.#askAt = time + this.#leaseMs * (0.5 + Math.random() * 0.2);
    this.#retryMs = firstRetryMs;
  }
}

/** `stopTrainer` is also what follows the last epoch, and may take as long as a training does. */
function hostThatTrains({ raw }: Described): string | null {
  const session = raw.pendingActivities?.find(({ activityType }) =>
    ['trainEpoch', 'stopTrainer'].includes(activityType?.name ?? ''),
  );
  return hostOfQueue(session?.activityOptions?.taskQueue?.name ?? '');
}

/** A session that no run speaks to for long is nobody's: it checkpoints, ends and frees its slot. */
import { setTimeout as delay } from 'node:timers/promises';
import { endTrainer } from './end-trainer.ts';
import type { Runs } from './runs.ts';
import type { LiveSession } from './session.ts';

/** A session is spoken to several times a second while its run is there, in milliseconds. */
const idleCheckEvery = 3_000;
/** Two looks in a row find what its run asked here and this worker never heard of, in milliseconds. */
const lookEvery = 900;

export interface IdleParts {
  runs: Pick<Runs, 'waitsForHost' | 'asksHost' | 'tellFound' | 'hasAnotherSession' | 'whyUnserved'>;
  sessionIdleSeconds: number;
}

type IdleSession = Pick<
  LiveSession,
  | 'run'
  | 'host'
  | 'id'
  | 'config'
  | 'log'
  | 'over'
  | 'isOver'
  | 'isLeft'
  | 'idleMs'
  | 'isAbandoned'
  | 'ending'
  | 'touch'
>;

/** `endIfOver` ends the session of a run that was closed from outside, and answers whether it did. */
export async function endWhenIdle(
  session: IdleSession,
  { runs, sessionIdleSeconds }: IdleParts,
  endIfOver: () => Promise<boolean>,
): Promise<void> {
  const limit = sessionIdleSeconds * 1000;
  const lost = new LostQuestions(session, runs);
  let wasTold = false;
  while (!session.isOver) {
    await Promise.race([session.over, delay(Math.min(limit, lookEvery), undefined, { ref: false })]);
    if (session.isLeft) return;
    if (session.idleMs < idleCheckEvery) wasTold = false;
    if (session.isOver || (await lost.look()) || session.idleMs < idleCheckEvery) continue;
    // Between two activities a run may be closed from outside, and none is left to be forsaken.
    if (await endIfOver()) return;
    // The run has given this host up, and may be waiting for the very slot that its session holds.
    const isGivenUp = await runs.waitsForHost(session.run).catch(() => false);
    if (isGivenUp && !wasTold) {
      wasTold = true;
      await runs.tellFound(session.run, session.id);
      continue;
    }
    const isElsewhere = await runs.hasAnotherSession(session.run, session.id).catch(() => false);
    if (!isGivenUp && !isElsewhere) {
      if (session.idleMs < limit) continue;
      // Then no run can ask for anything, and this one comes back when a server does.
      if ((await runs.whyUnserved().catch(() => null)) !== null) {
        session.touch();
        continue;
      }
    }
    // It may have come back while the server was asked.
    if (session.idleMs < idleCheckEvery) continue;
    session.isAbandoned = true;
    session.log.warn({ isGivenUp, isElsewhere }, 'its run asks for nothing here any more: the session is ended');
    await endTrainer(session.ending, { ...session.config.deadlines, stopSeconds: limit / 1000 });
  }
}

/**
 * The server has given this worker what the run asks of its session, and the answer to the poll was lost on the way: a whole heartbeat
 * timeout would pass before anybody noticed. What is only just on its way is heard of before the second look.
 */
class LostQuestions {
  #asked: string | null = null;

  constructor(
    private readonly session: Pick<LiveSession, 'run' | 'host' | 'id' | 'log' | 'idleMs'>,
    private readonly runs: Pick<Runs, 'asksHost' | 'tellFound'>,
  ) {}

  /** Has the run ask again, where that is so, and answers whether. */
  async look(): Promise<boolean> {
    const { run, host, id, log } = this.session;
    const before = this.#asked;
    const asked = this.session.idleMs < lookEvery ? null : await this.runs.asksHost(run, host).catch(() => null);
    // The worker may have heard of it while the server was asked.
    const isLost = asked !== null && asked === before && this.session.idleMs >= lookEvery;
    this.#asked = isLost ? null : asked;
    if (!isLost) return false;
    log.warn('what the run asked was lost on its way here: it asks again');
    await this.runs.tellFound(run, id);
    return true;
  }
}

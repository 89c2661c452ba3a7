/** A session that no run speaks to for long is nobody's: it checkpoints, ends and frees its slot. */
import { setTimeout as delay } from 'node:timers/promises';
import { endTrainer } from './end-trainer.ts';
import type { Runs } from './runs.ts';
import type { LiveSession } from './session.ts';

/** A session is spoken to several times a second while its run is there, in milliseconds. */
const idleCheckEvery = 3_000;

export interface IdleParts {
  runs: Pick<Runs, 'waitsForHost' | 'tellFound' | 'hasAnotherSession' | 'whyUnserved'>;
  sessionIdleSeconds: number;
}

type IdleSession = Pick<
  LiveSession,
  'run' | 'id' | 'config' | 'log' | 'over' | 'isOver' | 'isLeft' | 'idleMs' | 'isAbandoned' | 'ending' | 'touch'
>;

/** `endIfOver` ends the session of a run that was closed from outside, and answers whether it did. */
export async function endWhenIdle(
  session: IdleSession,
  { runs, sessionIdleSeconds }: IdleParts,
  endIfOver: () => Promise<boolean>,
): Promise<void> {
  const limit = sessionIdleSeconds * 1000;
  let wasTold = false;
  while (!session.isOver) {
    await Promise.race([session.over, delay(Math.min(limit, idleCheckEvery), undefined, { ref: false })]);
    if (session.isLeft) return;
    if (session.idleMs < idleCheckEvery) wasTold = false;
    if (session.isOver || session.idleMs < idleCheckEvery) continue;
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

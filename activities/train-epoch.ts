/**
 * One epoch: grants it and the next, heartbeats its progress, and answers with its report. Where checkpoints are saved
 * within the epoch, it answers as soon as there is one, and is asked again.
 */
import type { Position } from '../contracts/checkpoint.ts';
import type { Failure } from '../contracts/failure.ts';
import type { EarlyEnd } from '../contracts/protocol.ts';
import type { TrainEpochInput } from '../contracts/run-activities.ts';
import type { SessionReport } from '../contracts/session.ts';
import { boundDropped, boundNote } from '../worker/dropped-checkpoints.ts';
import type { Host } from '../worker/host.ts';
import { readReport } from '../worker/run-report.ts';
import { type LiveSession, SessionOver } from '../worker/session.ts';
import { heartbeating, isOrphaned, ownSession, sessionFailed, sessionProgress, watchOf } from './activity-support.ts';

/** Each report within an epoch adds to the run's history: milliseconds between two of them. */
const reportEvery = 5_000;

export const trainEpoch =
  (host: Host) =>
  async (input: TrainEpochInput): Promise<SessionReport> => {
    const { known } = input;
    const session = await ownSession(host, input);
    if (!session) {
      throw sessionFailed({
        failure: { kind: 'workerLost', message: 'the worker was restarted, and its session ended with it' },
        preempted: false,
        report: null,
        reached: null,
      });
    }
    session.grant(input.through);
    try {
      return await heartbeating(
        () => sessionProgress(host, session),
        async (signal) => {
          await session.waitEpochOrCheckpoint(input.epoch, reportEvery, signal);
          // Taken before the report is read: meanwhile it may train on, end early, and have landed what the report lacks.
          const { endedEarly } = session;
          const told = await readReport(session.folder, known, session.id);
          const removed = await boundDropped(session.folder, known, signal);
          const report = removed === 0 ? told : { ...told, notes: [...told.notes, boundNote(host.id)] };
          if (!endedEarly) return report;
          if (report.position.epoch >= endedEarly.epoch) return { ...report, endedEarly };
          // No epoch follows, so that whoever asked again would be answered at once, for ever.
          await host.sessions.endRun(input.place, input.config.deadlines, signal);
          throw new SessionOver('it trains no further, and did not save what it trained');
        },
        watchOf(host, input.run),
      );
    } catch (error) {
      if (isOrphaned()) await host.sessions.endIfOver(session);
      if (error instanceof SessionOver) throw await sessionFailure(host, session, input);
      throw error;
    }
  };

async function sessionFailure(host: Host, session: LiveSession, input: TrainEpochInput) {
  const { report, reached = null, batchesPerEpoch, failure, gpuMemoryReleased } = await session.end(input.known);
  if (session.preempted) {
    await heartbeating(
      () => ({ doing: 'store the newest checkpoint for another host' }),
      (signal) => host.sessions.storeNewest(input, signal),
    ).catch((error) => session.log.error({ err: error }, 'the newest checkpoint could not be stored'));
  }
  return sessionFailed({
    failure: session.preempted ? null : (failure ?? endedWell(session.endedEarly, report.position)),
    preempted: session.preempted,
    report,
    reached,
    batchesPerEpoch,
    gpuMemoryReleased,
    isOver: true,
  });
}

/** The trainer ended in good order, and nobody of this run asked for that. */
function endedWell(early: EarlyEnd | null, position: Position): Failure {
  if (early && position.epoch < early.epoch) {
    const message = `the trainer ended early after epoch ${early.epoch}, and no checkpoint of that is on its host`;
    return { kind: 'checkpointLost', message };
  }
  // The host did, or a person at it.
  const exit = { code: 0, signal: null };
  return { kind: 'trainerKilled', message: 'the trainer was asked to end from outside', exit };
}

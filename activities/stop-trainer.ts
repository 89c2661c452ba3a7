/** One rung of the ladder: asks the trainer to end in its way, and answers when its whole process group is gone. */
import type { StopTrainerInput } from '../contracts/run-activities.ts';
import type { SessionEnd } from '../contracts/session.ts';
import { requireFolder } from '../worker/claims.ts';
import type { Host } from '../worker/host.ts';
import { endPredecessor } from '../worker/predecessor.ts';
import { sessionEnd } from '../worker/session-end.ts';
import { heartbeating, ownSession, sessionProgress, watchOf } from './activity-support.ts';

export const stopTrainer =
  (host: Host) =>
  async (input: StopTrainerInput): Promise<SessionEnd> => {
    const { run, place, config, session, rung, known } = input;
    const live = await ownSession(host, input);
    // What is still done for the run is told of its cancel at once.
    if (rung !== 'finish') host.watched.watch(run);
    if (live) {
      live.ask(rung);
      return heartbeating(
        () => sessionProgress(host, live),
        async (signal) => {
          await endedOr(live.over, signal);
          const end = await live.end(known);
          // Cut off by the host's own end: another one resumes from the store.
          if (live.preempted && !end.finished) await host.sessions.storeNewest({ place, config }, signal);
          return end;
        },
        watchOf(host, run),
      );
    }
    // The worker before opened it; the trainer saw the end-of-file and is ending by itself, or has.
    const folder = host.folders.of(place);
    const { stopSeconds, terminateSeconds } = config.deadlines;
    const limits =
      rung === 'terminate' || rung === 'kill'
        ? { stopSeconds: 0, terminateSeconds: 0 }
        : { stopSeconds, terminateSeconds };
    return heartbeating(
      () => ({ doing: "waiting for the previous worker's trainer to exit" }),
      async (signal) => {
        await requireFolder(folder, host.runs.life(input.chain));
        await endPredecessor(folder, limits, signal, host.log.child({ run }));
        return sessionEnd(folder, session.id, known, {
          exit: null,
          reached: null,
          seen: null,
          killedByUs: false,
          outOfMemory: false,
          processGroupGone: true,
          gpuMemoryReleased: null,
          acknowledgedAfterMs: null,
        });
      },
    );
  };

/** Cancelling this activity leaves the trainer as it is: the next rung is on its way. */
async function endedOr(over: Promise<void>, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    if (signal.aborted) reject(signal.reason);
    void over.then(resolve);
  });
}

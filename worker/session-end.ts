/** How a session ended, told from its run folder and its exit: the same answer from any worker of the host. */
import type { Position } from '../contracts/checkpoint.ts';
import type { Failure } from '../contracts/failure.ts';
import type { TrainerEvent } from '../contracts/protocol.ts';
import type { Known } from '../contracts/run-activities.ts';
import type { SessionEnd } from '../contracts/session.ts';
import type { TrainerExit } from './launchers/launcher.ts';
import type { RunFolder } from './run-folders.ts';
import { readEvents, readReport } from './run-report.ts';

export interface EndCircumstances {
  exit: TrainerExit | null;
  /** Furthest batch that was trained; null when nobody knows: the worker that heard of it is gone. */
  reached: Position | null;
  batchesPerEpoch?: number | undefined;
  /** What the worker saw that the trainer could not say: garbage on the protocol, a hang, a failed start. */
  seen: Failure | null;
  /** We sent it SIGTERM or SIGKILL: then that signal is no failure. */
  killedByUs: boolean;
  /** The kernel killed for lack of memory while the session lived. */
  outOfMemory: boolean;
  processGroupGone: boolean;
  gpuMemoryReleased: boolean | null;
  acknowledgedAfterMs: number | null;
}

export async function sessionEnd(
  folder: RunFolder,
  session: string,
  known: Known,
  circumstances: EndCircumstances,
): Promise<SessionEnd> {
  const events = await readEvents(folder, session);
  const stopped = events.findLast((event) => event.type === 'stopped');
  const { exit, killedByUs } = circumstances;
  // A trainer without the SDK may leave with nothing but its exit code.
  const finished = stopped ? stopped.finished : exit?.code === 0 && !killedByUs;
  return {
    report: await readReport(folder, known, session),
    reached: circumstances.reached,
    batchesPerEpoch: circumstances.batchesPerEpoch,
    exit,
    processGroupGone: circumstances.processGroupGone,
    gpuMemoryReleased: circumstances.gpuMemoryReleased,
    batchesAfterStop: stopped?.batchesAfterStop ?? null,
    acknowledgedAfterMs: circumstances.acknowledgedAfterMs,
    failure: endFailure(events, circumstances),
    finished,
  };
}

/** Null when it ended as it should. */
export function endFailure(
  events: readonly TrainerEvent[],
  { exit, seen, killedByUs, outOfMemory }: EndCircumstances,
): Failure | null {
  const failed = events.findLast((event) => event.type === 'failed');
  const with_ = exit ? { exit } : {};
  if (failed) {
    const { kind, message, traceback } = failed;
    return { kind, message, ...(traceback ? { traceback } : {}), ...with_ };
  }
  if (seen) return { ...seen, ...with_ };
  if (!exit || killedByUs || exit.code === 0) return null;
  if (exit.signal === 'SIGKILL' || exit.code === 137) {
    return outOfMemory
      ? { kind: 'outOfMemory', message: 'the kernel killed the trainer: out of memory', ...with_ }
      : { kind: 'trainerKilled', message: 'the trainer was killed from outside (SIGKILL)', ...with_ };
  }
  if (exit.signal) return { kind: 'trainerKilled', message: `the trainer was ended by ${exit.signal}`, ...with_ };
  return {
    kind: 'trainerError',
    message: `the trainer exited with code ${exit.code} and no message; see its log`,
    ...with_,
  };
}

/** A trainer that a worker before this one started: its proven end comes before anything else is done with its run. */
import type { Logger } from 'pino';
import { groupGone, isGroupAlive, signalGroup } from './process-groups.ts';
import type { RunFolder } from './run-folders.ts';
import { readProcessFile } from './trainer-process.ts';

export interface PredecessorLimits {
  /** From now to SIGTERM: it saw the end-of-file when its worker died, and is at its batch boundary soon. */
  stopSeconds: number;
  /** From SIGTERM to SIGKILL. */
  terminateSeconds: number;
}

/** Returns when no process of the folder's last trainer is alive. Throws the signal's reason when aborted. */
export async function endPredecessor(folder: RunFolder, limits: PredecessorLimits, signal: AbortSignal, log: Logger): Promise<void> {
  const leader = await readProcessFile(folder);
  if (!leader || !(await isGroupAlive(leader))) return;
  log.info({ pid: leader.pid }, 'waiting for the trainer of the worker before to end');
  const wait = async (seconds: number) => {
    const gone = await groupGone(leader, AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]));
    signal.throwIfAborted();
    return gone;
  };
  if (await wait(limits.stopSeconds)) return;
  log.warn({ pid: leader.pid }, 'it did not end: SIGTERM');
  signalGroup(leader.pid, 'SIGTERM');
  if (await wait(limits.terminateSeconds)) return;
  log.warn({ pid: leader.pid }, 'it did not end: SIGKILL');
  signalGroup(leader.pid, 'SIGKILL');
  await groupGone(leader, signal);
  signal.throwIfAborted();
}

/** Whether a trainer of an earlier worker still runs there. */
export async function hasPredecessor(folder: RunFolder): Promise<boolean> {
  const leader = await readProcessFile(folder);
  return leader !== null && (await isGroupAlive(leader));
}

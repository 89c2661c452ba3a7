/** A trainer that a worker before this one started: its proven end comes before anything else is done with its run. */
import type { Logger } from 'pino';
import { readContainerRecord } from './container-record.ts';
import { deadline } from './deadline.ts';
import { type EndLimits, endTrainer } from './end-trainer.ts';
import { endEscaped, escapedNote, keepNote } from './escaped-processes.ts';
import { containedTrainer, leftContainer } from './launchers/host-launcher.ts';
import type { LaunchedTrainer } from './launchers/launcher.ts';
import { readProcessFile } from './process-file.ts';
import {
  groupGone,
  isGroupAlive,
  markedProcesses,
  type ProcessIdentity,
  processGone,
  signalGroup,
  signalProcess,
} from './process-groups.ts';
import type { RunFolder } from './run-folders.ts';

/** After the trainer's own end, its children get this long to follow. */
const orphanSeconds = 2;

/** Returns when no process of the folder's last trainer is alive. Throws the signal's reason when aborted. */
export async function endPredecessor(
  folder: RunFolder,
  limits: EndLimits,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  const container = await readContainerRecord(folder);
  if (container) return endContained(containedTrainer(folder, container), container.name, limits, signal, log);
  const leader = await readProcessFile(folder);
  if (leader && (await isGroupAlive(leader))) await endGroup(leader, limits, signal, log);
  // Also where no process is named: the worker may have died before it wrote that down.
  const escaped = await endEscaped(folder, deadline(leader ? 0 : limits.stopSeconds * 1000, signal));
  signal.throwIfAborted();
  if (escaped && escaped.length > 0) await keepNote(folder, leader?.session ?? '', escapedNote(escaped));
}

async function endGroup(leader: ProcessIdentity, limits: EndLimits, signal: AbortSignal, log: Logger): Promise<void> {
  log.info({ pid: leader.pid }, "waiting for the previous worker's trainer to exit");
  let hadToBeKilled = false;
  await endTrainer(
    {
      // Nobody here is connected to it: SIGTERM has it save at its batch boundary and end.
      ask: () => void signalProcess(leader, 'SIGTERM'),
      terminate: () => {
        log.warn({ pid: leader.pid }, 'it did not exit: SIGTERM');
        signalGroup(leader.pid, 'SIGTERM');
      },
      kill: () => {
        hadToBeKilled = true;
        killGroup(leader, log);
      },
      ends: (limit) => processGone(leader, limit),
    },
    limits,
    signal,
  );
  // Nobody tells the children of a trainer that has ended: waiting for them as long as for itself would hold up the run.
  if (await groupGone(leader, deadline(hadToBeKilled ? 0 : orphanSeconds * 1000, signal))) return;
  signal.throwIfAborted();
  killGroup(leader, log);
  await groupGone(leader, signal);
  signal.throwIfAborted();
}

async function endContained(
  trainer: LaunchedTrainer,
  name: string,
  limits: EndLimits,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  log.info({ container: name }, "waiting for the previous worker's trainer to exit");
  try {
    await endTrainer(
      {
        ask: () => trainer.signal('SIGTERM', 'trainer'),
        terminate: () => trainer.signal('SIGTERM', 'group'),
        kill: () => trainer.signal('SIGKILL', 'group'),
        ends: (limit) => settledWithin(trainer.exited, limit),
      },
      limits,
      signal,
    );
    // Who waits no more is not held up by an engine that does not answer.
    await settledWithin(trainer.endLeftovers(deadline(orphanSeconds * 1000, signal)), signal);
    signal.throwIfAborted();
    await settledWithin(trainer.dismiss(), signal);
    signal.throwIfAborted();
  } finally {
    trainer.leave();
  }
}

/** False when `limit` was aborted before. */
async function settledWithin(work: Promise<unknown>, limit: AbortSignal): Promise<boolean> {
  const aborted = new Promise<false>((resolve) => {
    if (limit.aborted) resolve(false);
    limit.addEventListener('abort', () => resolve(false), { once: true });
  });
  return Promise.race([work.then(() => true as const), aborted]);
}

function killGroup({ pid }: ProcessIdentity, log: Logger): void {
  log.warn({ pid }, 'some of its group did not exit: SIGKILL');
  signalGroup(pid, 'SIGKILL');
}

/** Whether a trainer of an earlier worker still runs there. */
export async function hasPredecessor(folder: RunFolder): Promise<boolean> {
  const container = await leftContainer(folder);
  if (container) return container.isAlive();
  const leader = await readProcessFile(folder);
  if (leader !== null && (await isGroupAlive(leader))) return true;
  return ((await markedProcesses(folder.session)) ?? []).length > 0;
}

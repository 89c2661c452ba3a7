/** Processes of a session that left the trainer's process group (`setsid`, `start_new_session=True`, a daemon). */
import { setTimeout as delay } from 'node:timers/promises';
import {
  groupGone,
  type MarkedProcess,
  markedProcesses,
  type ProcessIdentity,
  signalGroup,
  signalProcess,
} from './process-groups.ts';
import { appendToFile, type RunFolder } from './run-folders.ts';

const namesShown = 5;
const lookEvery = 50;

/**
 * Ends all that carries the marker of the folder's sessions, once `patience` is over, and answers what it had to end;
 * null where the system cannot tell. Only for a session whose process group is gone.
 */
export async function endEscaped(folder: RunFolder, patience: AbortSignal): Promise<MarkedProcess[] | null> {
  const ended = new Map<string, MarkedProcess>();
  for (;;) {
    const left = await markedProcesses(folder.session);
    if (left === null) return null;
    if (left.length === 0) return [...ended.values()];
    if (patience.aborted) {
      for (const one of left) {
        ended.set(`${one.pid} ${one.startTicks}`, one);
        await signalProcess(one, 'SIGKILL');
      }
    }
    await delay(lookEvery);
  }
}

/**
 * Once the trainer itself has ended: whoever is left of its group when `patience` is over is killed, and so is what left the group, which
 * a note of the session names.
 */
export async function endLeftovers(
  trainer: { identity: ProcessIdentity },
  folder: RunFolder,
  session: string,
  patience: AbortSignal,
): Promise<void> {
  if (!(await groupGone(trainer.identity, patience))) {
    signalGroup(trainer.identity.pid, 'SIGKILL');
    await groupGone(trainer.identity, new AbortController().signal);
  }
  const escaped = await endEscaped(folder, patience);
  if (escaped === null) await keepNote(folder, session, escapedUnknown);
  else if (escaped.length > 0) await keepNote(folder, session, escapedNote(escaped));
}

export const escapedNote = (escaped: readonly MarkedProcess[]): string => {
  const names = [...new Set(escaped.map(({ name }) => name))].sort().slice(0, namesShown);
  const count = `${escaped.length} ${escaped.length === 1 ? 'process' : 'processes'}`;
  return `ended ${count} that had left the trainer's process group: ${names.join(', ')}`;
};

const escapedUnknown =
  "whether processes left the trainer's process group is unknown: this system has no /proc to find them in";

/** For the receipt, by the file that every report is read from. */
export async function keepNote(folder: RunFolder, session: string, message: string): Promise<void> {
  const line = JSON.stringify({ session, at: new Date().toISOString(), event: { type: 'note', message } });
  await appendToFile(folder.events, `${line}\n`).catch(() => undefined);
}

/**
 * Process groups: who is alive, and how to end all of them. Each trainer leads a group of its own, so its data
 * loader workers and ranks are in it, too.
 */
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** A process that cannot be confused with a later one of the same number. */
export interface ProcessIdentity {
  pid: number;
  /** Start time as the kernel tells it, in its own ticks; null where there is no /proc. */
  startTicks: string | null;
}

export async function identify(pid: number): Promise<ProcessIdentity> {
  return { pid, startTicks: (await readProcess(pid))?.startTicks ?? null };
}

/**
 * Processes of the group that are alive; a zombie has ended. Without /proc only that there is someone can be told.
 */
export async function groupMembers(group: number): Promise<number[]> {
  const numbers = await readdir('/proc').catch(() => null);
  if (!numbers) return signalGroup(group, 0) ? [group] : [];
  if (!signalGroup(group, 0)) return [];
  const members: number[] = [];
  for (const entry of numbers) {
    if (!/^\d+$/.test(entry)) continue;
    const found = await readProcess(Number(entry));
    if (found?.group === group && !isOver(found)) members.push(Number(entry));
  }
  return members;
}

/** Whether the group that this process led may still be alive: not when its number belongs to another by now. */
export async function isGroupAlive(leader: ProcessIdentity): Promise<boolean> {
  const now = await readProcess(leader.pid);
  if (now && leader.startTicks !== null && now.startTicks !== leader.startTicks) return false;
  return (await groupMembers(leader.pid)).length > 0;
}

/** A process that carries the marker of a session, wherever it went. */
export interface MarkedProcess extends ProcessIdentity {
  /** Its command, as the kernel shortens it: 15 characters. */
  name: string;
  /** Path of the session file that it was started for. */
  session: string;
}

const marker = 'EPOCHAL_SESSION=';

/**
 * Processes that were started for a session whose file is at `path`, or below it, by their environment: also those that
 * left the trainer's process group. Null where the system cannot tell. A process that was started with another
 * environment is not found.
 */
export async function markedProcesses(path: string): Promise<MarkedProcess[] | null> {
  const numbers = await readdir('/proc').catch(() => null);
  if (!numbers) return null;
  const found: MarkedProcess[] = [];
  for (const entry of numbers) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    const environment = await readFile(`/proc/${entry}/environ`, 'utf8').catch(() => '');
    const session = environment
      .split('\0')
      .find((variable) => variable.startsWith(marker))
      ?.slice(marker.length);
    if (session === undefined || (session !== path && !session.startsWith(`${path}/`))) continue;
    const status = await readProcess(Number(entry));
    if (!status || isOver(status)) continue;
    found.push({ pid: Number(entry), startTicks: status.startTicks, name: status.name, session });
  }
  return found;
}

/** Unless its number belongs to another process by now. */
export async function signalProcess({ pid, startTicks }: ProcessIdentity, signal: NodeJS.Signals): Promise<void> {
  if (startTicks !== null && (await readProcess(pid))?.startTicks !== startTicks) return;
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself a moment ago.
  }
}

/** Resident memory of the group's processes in bytes; null where it cannot be read. A process that has just started may be missed. */
export async function groupMemory(group: number): Promise<number | null> {
  const groups = await groupsNow(group);
  if (!groups) return null;
  let bytes = 0;
  for (const pid of groups.get(group) ?? []) {
    bytes += residentBytes(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''));
  }
  return bytes;
}

type Groups = ReadonlyMap<number, readonly number[]>;

/** Milliseconds: a host of many trainers looks through all processes once for all of them. */
const lookEvery = 1_500;
let looked: { at: number; groups: Promise<Groups | null> } | null = null;

/** Who was in which group a moment ago; a group that was not there then is looked for now. */
async function groupsNow(group: number): Promise<Groups | null> {
  if (looked && performance.now() - looked.at < lookEvery) {
    const groups = await looked.groups;
    if (!groups || groups.has(group)) return groups;
  }
  looked = { at: performance.now(), groups: groupsByProc() };
  return looked.groups;
}

async function groupsByProc(): Promise<Groups | null> {
  const numbers = await readdir('/proc').catch(() => null);
  if (!numbers) return null;
  const groups = new Map<number, number[]>();
  for (const entry of numbers) {
    if (!/^\d+$/.test(entry)) continue;
    const found = await readProcess(Number(entry));
    if (!found) continue;
    const members = groups.get(found.group);
    if (members) members.push(Number(entry));
    else groups.set(found.group, [Number(entry)]);
  }
  return groups;
}

/** Resident memory by a /proc/<pid>/status, which tells it in KiB; /proc/<pid>/stat has pages, of 4 KiB to 64 KiB. */
export const residentBytes = (status: string): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;

/** True when the signal reached someone. Signal 0 only asks. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPERM') return true;
    return false;
  }
}

/** Waits until this process has ended, whoever of its group is still there. False when `signal` ended the wait. */
export async function processGone({ pid, startTicks }: ProcessIdentity, signal: AbortSignal): Promise<boolean> {
  const isAlive = async () => {
    const now = await readProcess(pid);
    if (!now) return startTicks === null && signalGroup(pid, 0);
    return !isOver(now) && (startTicks === null || now.startTicks === startTicks);
  };
  for (let pause = 5; await isAlive(); pause = Math.min(100, pause * 2)) {
    if (signal.aborted) return false;
    await delay(pause, undefined, { signal }).catch(() => undefined);
  }
  return true;
}

/** Waits until no process of the group is alive. False when `signal` ended the wait. */
export async function groupGone(leader: ProcessIdentity, signal: AbortSignal): Promise<boolean> {
  for (let pause = 5; await isGroupAlive(leader); pause = Math.min(100, pause * 2)) {
    if (signal.aborted) return false;
    await delay(pause, undefined, { signal }).catch(() => undefined);
  }
  return true;
}

interface ProcessStatus {
  state: string;
  group: number;
  startTicks: string;
  name: string;
}

/** A zombie has ended. */
const isOver = ({ state }: ProcessStatus) => state === 'Z' || state === 'X';

/** Fields of /proc/<pid>/stat after the command, which may hold spaces and brackets (proc(5)). */
async function readProcess(pid: number): Promise<ProcessStatus | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    state: fields[0] ?? '?',
    group: Number(fields[2]),
    startTicks: fields[19] ?? '',
    name: text.slice(text.indexOf('(') + 1, text.lastIndexOf(')')),
  };
}

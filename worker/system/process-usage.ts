/** What the processes of a trainer's group take, as /proc tells (proc(5)). Made to be asked every few seconds, at little cost. */
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { residentBytes } from '../process-groups.ts';

/** Counters rise for as long as the group lives; null where the system does not tell. */
export interface ProcessUsage {
  cpuSeconds: number | null;
  /** Now. */
  memoryBytes: number | null;
  readBytes: number | null;
  writtenBytes: number | null;
  receivedBytes: number | null;
  sentBytes: number | null;
}

const unknown: ProcessUsage = {
  ...{ cpuSeconds: null, memoryBytes: null, readBytes: null },
  ...{ writtenBytes: null, receivedBytes: null, sentBytes: null },
};

/** The kernel tells times in this unit to all programs (USER_HZ), whatever its own is. */
const ticksPerSecond = 100;
/** After so many readings processes of others are looked at again: a number may belong to somebody else by now. */
const lookAgainAfter = 30;

export class GroupUsage {
  readonly #groupNow: () => number | null;
  /** Processes that are known to be of other groups, so that they are not read each time. */
  readonly #others = new Set<string>();
  #readings = 0;

  /** `group`: the process that leads it; null: of what is not seen nothing is known. */
  constructor(group: number | (() => number | null)) {
    this.#groupNow = typeof group === 'number' ? () => group : group;
  }

  async read(): Promise<ProcessUsage> {
    const group = this.#groupNow();
    const numbers = group === null ? null : await readdir('/proc').catch(() => null);
    if (!numbers) return unknown;
    if (this.#readings++ % lookAgainAfter === 0) this.#others.clear();
    let ticks = 0;
    let memoryBytes = 0;
    let disk: { read: number; written: number } | null = { read: 0, written: 0 };
    for (const pid of numbers) {
      if (!/^\d+$/.test(pid) || this.#others.has(pid)) continue;
      const stat = read(`/proc/${pid}/stat`);
      if (stat === null) continue;
      const found = parseStat(stat);
      if (found.group !== group) {
        this.#others.add(pid);
        continue;
      }
      ticks += found.ticks;
      memoryBytes += residentBytes(read(`/proc/${pid}/status`) ?? '');
      const io = parseIo(read(`/proc/${pid}/io`));
      // Only its owner may read it, and some kernels have none.
      disk = disk && io && { read: disk.read + io.read, written: disk.written + io.written };
    }
    const network = parseNetwork(read(`/proc/${group}/net/dev`));
    return {
      cpuSeconds: ticks / ticksPerSecond,
      memoryBytes,
      readBytes: disk?.read ?? null,
      writtenBytes: disk?.written ?? null,
      receivedBytes: network?.received ?? null,
      sentBytes: network?.sent ?? null,
    };
  }
}

/** At once: none of these files waits for a disk, and a promise for each would cost more than reading it. */
function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** Also the time of children that have ended: what they took stays counted. Fields after the command, which may hold spaces and brackets. */
export function parseStat(text: string): { group: number; ticks: number } {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { group: Number(fields[2]), ticks };
}

export function parseIo(text: string | null): { read: number; written: number } | null {
  const [, read] = /^read_bytes: (\d+)$/m.exec(text ?? '') ?? [];
  const [, written] = /^write_bytes: (\d+)$/m.exec(text ?? '') ?? [];
  return read === undefined || written === undefined ? null : { read: Number(read), written: Number(written) };
}

/** Of all interfaces but the loopback: `  eth0: <bytes received> … <bytes sent> …` in columns 1 and 9. */
export function parseNetwork(text: string | null): { received: number; sent: number } | null {
  if (text === null) return null;
  const total = { received: 0, sent: 0 };
  for (const line of text.split('\n').slice(2)) {
    const [name = '', counters] = line.split(':');
    if (counters === undefined || name.trim() === 'lo') continue;
    const numbers = counters.trim().split(/\s+/).map(Number);
    total.received += numbers[0] ?? 0;
    total.sent += numbers[8] ?? 0;
  }
  return total;
}

/** How often the kernel killed for want of memory: in this process's cgroup, else on the whole machine. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A number to compare with one read earlier; null where nobody counts. */
export async function oomKills(): Promise<number | null> {
  const own = await readFile('/proc/self/cgroup', 'utf8').catch(() => '');
  for (const path of [...counters(own), '/proc/vmstat']) {
    const text = await readFile(path, 'utf8').catch(() => '');
    const count = /^oom_kill (\d+)$/m.exec(text)?.[1];
    if (count) return Number(count);
  }
  return null;
}

/** A kill of somebody else, long before a process ended, is no reason for that end; a large one takes a while to die. */
const recentMs = 30_000;

/** How many kills there were lately. To be asked again and again. */
export class RecentOomKills {
  readonly #read: () => Promise<number | null>;
  readonly #now: () => number;
  /** Readings, oldest first; the first is the newest one that is no longer recent. */
  readonly #readings: { at: number; kills: number }[] = [];

  constructor(read: () => Promise<number | null> = oomKills, now: () => number = () => performance.now()) {
    this.#read = read;
    this.#now = now;
  }

  /** Since the last reading before the recent ones; 0 where nobody counts. */
  async count(): Promise<number> {
    const kills = await this.#read();
    if (kills === null) return 0;
    const now = this.#now();
    this.#readings.push({ at: now, kills });
    while (this.#readings[1] && this.#readings[1].at <= now - recentMs) this.#readings.shift();
    return kills - (this.#readings[0]?.kills ?? kills);
  }
}

/** Files of the cgroups in `/proc/self/cgroup` that may hold the count: version 2, then version 1. */
export function counters(own: string): string[] {
  const unified = /^0::(.*)$/m.exec(own)?.[1];
  const memory = /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(.*)$/m.exec(own)?.[1];
  return [
    ...(unified === undefined ? [] : [join('/sys/fs/cgroup', unified, 'memory.events')]),
    ...(memory === undefined ? [] : [join('/sys/fs/cgroup/memory', memory, 'memory.oom_control')]),
  ];
}

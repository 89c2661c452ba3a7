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

/** Files of the cgroups in `/proc/self/cgroup` that may hold the count: version 2, then version 1. */
export function counters(own: string): string[] {
  const unified = /^0::(.*)$/m.exec(own)?.[1];
  const memory = /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(.*)$/m.exec(own)?.[1];
  return [
    ...(unified === undefined ? [] : [join('/sys/fs/cgroup', unified, 'memory.events')]),
    ...(memory === undefined ? [] : [join('/sys/fs/cgroup/memory', memory, 'memory.oom_control')]),
  ];
}

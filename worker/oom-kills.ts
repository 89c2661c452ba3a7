/** How often the kernel killed for want of memory: in this process's cgroup, else on the whole machine. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A number to compare with one read earlier; null where nobody counts. */
export async function oomKills(): Promise<number | null> {
  for (const [path, field] of [
    [await cgroupFile('memory.events'), 'oom_kill'],
    ['/sys/fs/cgroup/memory/memory.oom_control', 'oom_kill'],
    ['/proc/vmstat', 'oom_kill'],
  ] as const) {
    const text = path && (await readFile(path, 'utf8').catch(() => null));
    const count = text && new RegExp(`^${field} (\\d+)$`, 'm').exec(text)?.[1];
    if (count) return Number(count);
  }
  return null;
}

/** A file of our cgroup (version 2), or null. */
async function cgroupFile(name: string): Promise<string | null> {
  const own = await readFile('/proc/self/cgroup', 'utf8').catch(() => '');
  const path = /^0::(.*)$/m.exec(own)?.[1];
  return path === undefined ? null : join('/sys/fs/cgroup', path, name);
}

/** What processes take of a machine, from /proc: a process with all that it has started. */
import { readdir, readFile } from 'node:fs/promises';

export interface Cost {
  cpuSeconds: number;
  memoryMiB: number;
}

/** Clock ticks are a hundredth of a second on Linux. */
const ticksPerSecond = 100;

/** The processor time of those that have ended meanwhile is in that of who started them. */
export async function costOf(root: number): Promise<Cost> {
  const processes = new Map<number, { parent: number; ticks: number; memoryKiB: number }>();
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const [stat, status] = await Promise.all(
      ['stat', 'status'].map((file) => readFile(`/proc/${entry}/${file}`, 'utf8').catch(() => '')),
    );
    const fields = (stat ?? '').slice((stat ?? '').lastIndexOf(')') + 2).split(' ');
    if (fields.length < 15) continue;
    // Shared memory, which every process of a database has, counts once: with the root.
    const kind = Number(entry) === root ? 'VmRSS' : 'RssAnon';
    processes.set(Number(entry), {
      parent: Number(fields[1]),
      ticks: fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0),
      memoryKiB: Number(new RegExp(`^${kind}:\\s+(\\d+) kB$`, 'm').exec(status ?? '')?.[1] ?? 0),
    });
  }
  const isOf = (pid: number): boolean => {
    if (pid === root) return true;
    const parent = processes.get(pid)?.parent ?? 0;
    return parent > 1 && isOf(parent);
  };
  let [ticks, memoryKiB] = [0, 0];
  for (const [pid, one] of processes) {
    if (!isOf(pid)) continue;
    ticks += one.ticks;
    memoryKiB += one.memoryKiB;
  }
  return { cpuSeconds: ticks / ticksPerSecond, memoryMiB: memoryKiB / 1024 };
}

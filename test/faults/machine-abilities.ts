/** What this machine lets a test do: faults of disks, networks, clocks and memory need a root user and some programs. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const works = (commands: string[][]): boolean => {
  try {
    for (const [program = '', ...args] of commands) execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

export const clockLibrary = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`)
  .find((path) => existsSync(path));

/** A cgroup of its own with this limit, to be removed when its processes have ended; null where none can be made. */
export function limitedCgroup(name: string, bytes: number): string | null {
  const kinds = [
    { parent: '/sys/fs/cgroup/memory', limits: { 'memory.limit_in_bytes': String(bytes) } },
    { parent: '/sys/fs/cgroup', limits: { 'memory.max': String(bytes), 'memory.swap.max': '0' } },
  ];
  for (const { parent, limits } of kinds) {
    const folder = join(parent, name);
    try {
      if (!existsSync(join(parent, 'cgroup.procs'))) continue;
      mkdirSync(folder);
      for (const [file, value] of Object.entries(limits)) {
        if (!existsSync(join(folder, file))) throw new Error(`${folder} has no ${file}`);
        writeFileSync(join(folder, file), value);
      }
      return folder;
    } catch {
      if (existsSync(folder)) rmdirSync(folder);
    }
  }
  return null;
}

export type Ability = 'chattr' | 'mount' | 'namespaces' | 'clock' | 'cgroup';

/** Whether the machine can do it, tried out. */
export function can(ability: Ability): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'epochal-ability-'));
  try {
    switch (ability) {
      case 'chattr':
        return works([
          ['chattr', '+i', folder],
          ['chattr', '-i', folder],
        ]);
      case 'mount':
        return works([
          ['mount', '-t', 'tmpfs', 'epochal-test', folder],
          ['umount', folder],
        ]);
      case 'namespaces':
        return works([
          ['ip', 'netns', 'add', 'epochal-try'],
          ['ip', 'netns', 'del', 'epochal-try'],
        ]);
      case 'cgroup': {
        const made = limitedCgroup('epochal-try', 1 << 30);
        if (made) rmdirSync(made);
        return made !== null;
      }
      case 'clock':
        return clockLibrary !== undefined;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

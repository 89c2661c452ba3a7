/** What this machine lets a test do: faults of disks, networks and clocks need a root user and some programs. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
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

export type Ability = 'chattr' | 'mount' | 'namespaces' | 'clock';

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
      case 'clock':
        return clockLibrary !== undefined;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

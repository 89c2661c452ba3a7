/** How the end of a trainer is told: its own word first, then what the worker saw, then its exit. */
import { describe, expect, it } from 'vitest';
import type { FailureKind } from '../../contracts/failure.ts';
import type { TrainerEvent } from '../../contracts/protocol.ts';
import { counters, RecentOomKills } from '../../worker/oom-kills.ts';
import { type EndCircumstances, endFailure } from '../../worker/session-end.ts';

const quiet: EndCircumstances = {
  exit: null,
  reached: null,
  seen: null,
  killedByUs: false,
  outOfMemory: false,
  processGroupGone: true,
  gpuMemoryReleased: null,
  acknowledgedAfterMs: null,
};
const signal = (name: string) => ({ exit: { code: null, signal: name } });
const code = (number: number) => ({ exit: { code: number, signal: null } });
const hang = { seen: { kind: 'hang', message: 'silent' } } as const;
const said: TrainerEvent = { type: 'failed', kind: 'nan', message: 'the loss is NaN', traceback: '' };

describe('the end of a trainer', () => {
  const ends: [string, Partial<EndCircumstances>, TrainerEvent[], FailureKind | null][] = [
    ['with code 0', code(0), [], null],
    ['with another code', code(1), [], 'trainerError'],
    ['by SIGKILL', signal('SIGKILL'), [], 'trainerKilled'],
    [
      'by SIGKILL while the kernel counted a kill for want of memory',
      { ...signal('SIGKILL'), outOfMemory: true },
      [],
      'outOfMemory',
    ],
    ['with code 137, as a shell tells SIGKILL', { ...code(137), outOfMemory: true }, [], 'outOfMemory'],
    ['with code 137, and nobody counted', code(137), [], 'trainerKilled'],
    ['by SIGSEGV', signal('SIGSEGV'), [], 'trainerKilled'],
    ['by our own SIGKILL', { ...signal('SIGKILL'), killedByUs: true }, [], null],
    ['by our own SIGKILL, after a hang', { ...signal('SIGKILL'), ...hang, killedByUs: true }, [], 'hang'],
    ['after its own word', code(1), [said], 'nan'],
    ['after its own word, whatever was seen', { ...signal('SIGKILL'), ...hang }, [said], 'nan'],
  ];
  it.each(ends)('%s', (_, circumstances, events, kind) => {
    expect(endFailure(events, { ...quiet, ...circumstances })?.kind ?? null).toBe(kind);
  });
});

describe('the counter of kills for want of memory', () => {
  it('tells what happened lately, and forgets what was long ago', async () => {
    let [kills, now] = [7, 0];
    const recent = new RecentOomKills(
      async () => kills,
      () => now,
    );
    const at = (seconds: number, count: number) => {
      [now, kills] = [seconds * 1000, count];
      return recent.count();
    };
    expect(await at(0, 7)).toBe(0);
    expect(await at(2, 8)).toBe(1);
    expect(await at(28, 8)).toBe(1);
    expect(await at(40, 8)).toBe(0);
    expect(await at(41, 9)).toBe(1);
  });

  it('is that of the own cgroup, of version 2 and of version 1', () => {
    expect(counters('0::/user.slice/worker\n')).toEqual(['/sys/fs/cgroup/user.slice/worker/memory.events']);
    expect(counters('12:cpu,cpuacct:/a\n4:memory:/docker/b\n0::/\n')).toEqual([
      '/sys/fs/cgroup/memory.events',
      '/sys/fs/cgroup/memory/docker/b/memory.oom_control',
    ]);
  });
});

/** How the end of a trainer is told: its own word first, then what the worker saw, then its exit. */
import { describe, expect, it } from 'vitest';
import type { FailureKind } from '../../contracts/failure.ts';
import type { TrainerEvent } from '../../contracts/protocol.ts';
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
const stopped: TrainerEvent = { type: 'stopped', epoch: 1, batch: 2, batchesAfterStop: 0, finished: false };
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
    ['that nobody saw', { isUnseen: true }, [], 'trainerKilled'],
    ['that nobody saw, after it had told a good one', { isUnseen: true }, [stopped], null],
    ['by itself, for no worker had come', code(0), [{ ...stopped, unattended: true }], 'workerLost'],
    ['by its supervisor, for no worker had come', { ...signal('SIGKILL'), unattended: true }, [], 'workerLost'],
    ['by itself, done before it knew', code(0), [{ ...stopped, finished: true, unattended: true }], null],
    ['after its own word', code(1), [said], 'nan'],
    ['after its own word, whatever was seen', { ...signal('SIGKILL'), ...hang }, [said], 'nan'],
  ];
  it.each(ends)('%s', (_, circumstances, events, kind) => {
    expect(endFailure(events, { ...quiet, ...circumstances })?.kind ?? null).toBe(kind);
  });
});

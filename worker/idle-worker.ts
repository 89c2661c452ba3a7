/** When a worker that serves until it is idle has nothing to do: `epochal worker --until-idle`. */
import { setTimeout as delay } from 'node:timers/promises';
import type { KeyedMutex } from './keyed-mutex.ts';
import type { Slots } from './slots.ts';

const lookEveryMs = 500;

export interface IdleParts {
  slots: Pick<Slots, 'taken'>;
  openings: Pick<KeyedMutex, 'isIdle'>;
  outputs: Pick<KeyedMutex, 'isIdle'>;
}

/**
 * True once no run was trained, set up, stored or published here for so long: a slot that is free asks the pool's queue for work, so there was none either.
 * False when `signal` aborts before.
 */
export async function untilIdle(
  { slots, openings, outputs }: IdleParts,
  seconds: number,
  signal: AbortSignal,
): Promise<boolean> {
  const isIdle = () => slots.taken.length === 0 && openings.isIdle && outputs.isIdle;
  for (let since = performance.now(); performance.now() - since < seconds * 1000; ) {
    await delay(Math.min(lookEveryMs, seconds * 1000), undefined, { ref: false, signal }).catch(() => undefined);
    if (signal.aborted) return false;
    if (!isIdle()) since = performance.now();
  }
  return true;
}

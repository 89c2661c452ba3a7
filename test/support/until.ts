/** Waits for a condition, with a generous limit and never for a time. */
import { setTimeout as delay } from 'node:timers/promises';

/** Answers the first value that is not null, undefined or false; throws with `told()` when the limit has passed. */
export async function until<T>(
  what: string,
  condition: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  seconds = 240,
  told: () => string = () => '',
): Promise<T> {
  const limit = performance.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value !== null && value !== undefined && value !== false) return value;
    if (performance.now() > limit) throw new Error(`waited ${seconds} s for nothing: ${what}. ${told()}`);
    await delay(20);
  }
}

/** Ids for runs that were given none: readable, in order of time, and not taken. */
import { randomBytes } from 'node:crypto';

const longest = 100;

/** `digits-20260131-093000-4f2a`, in the local zone, as people remember when they started it. */
export function newRunId(trainer: string, now = new Date()): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
  const ending = `-${date}-${time}-${randomBytes(2).toString('hex')}`;
  return `${trainer.slice(0, longest - ending.length)}${ending}`;
}

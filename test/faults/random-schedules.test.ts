/** Random schedules of faults, from fixed seeds; `npm run soak` plays more of them. A seed that fails replays there. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Arena, scheduleOf } from './random-schedules.ts';

const schedules = 25;

let arena: Arena;
beforeAll(async () => {
  arena = await Arena.open();
});
afterAll(() => arena?.close());

describe('a random schedule of faults', () => {
  it.each(Array.from({ length: schedules }, (_, seed) => seed))('from seed %i violates nothing', async (seed) => {
    const lines: string[] = [];
    const { violations } = await arena.play(scheduleOf(seed), (line) => lines.push(line));
    expect(violations, lines.join('\n')).toEqual([]);
  });
});

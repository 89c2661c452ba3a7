/** Random schedules of faults, from fixed seeds; `npm run soak` plays more of them. A seed that fails replays there. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Arena } from './random-schedules.ts';
import { faultKinds, scheduleOf } from './schedule.ts';

/** Of each kind at least one, one on S3, and no more than the suite has time for. */
const seeds = [461, 1051, 1805, 2085, 2109, 3290];

let arena: Arena;
beforeAll(async () => {
  arena = await Arena.open();
});
afterAll(() => arena?.close());

describe('a random schedule of faults', () => {
  it('of these seeds has every kind of fault', () => {
    const kinds = new Set(seeds.flatMap((seed) => scheduleOf(seed).steps.map(({ kind }) => kind)));
    expect([...kinds].sort()).toEqual([...faultKinds].sort());
    expect(new Set(seeds.map((seed) => scheduleOf(seed).store))).toEqual(new Set(['folder', 's3']));
  });

  it.each(seeds)('from seed %i violates nothing', async (seed) => {
    const lines: string[] = [];
    const { violations } = await arena.play(scheduleOf(seed), (line) => lines.push(line));
    expect(violations, lines.join('\n')).toEqual([]);
  });
});

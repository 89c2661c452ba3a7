/** Where the time of runs went, by project and week. */
import { expect, it } from 'vitest';
import { goodputText } from '../../client/cli/goodput-command.ts';
import { NoReceiptError } from '../../client/errors.ts';
import { findGoodput, weekOf } from '../../client/goodput.ts';
import { goodputAnswerSchema } from '../../contracts/goodput.ts';
import type { RunTime } from '../../contracts/run-time.ts';

const time: RunTime = {
  ...{ queue: 100, setUp: 10, training: 60, validation: 15, saving: 5, restarts: 4, repeated: 5, paused: 7, wrapUp: 1 },
};
const now = new Date('2026-11-30T12:00:00Z');

/** Open runs first, and then by when they closed, as the server lists them. */
const runs = [
  { run: 'open', project: 'a', closedAt: null },
  { run: 'draft', project: 'a', closedAt: null, startedAt: null },
  { run: 'monday', project: 'a', closedAt: '2026-11-30T00:00:00Z' },
  { run: 'sunday', project: 'a', closedAt: '2026-11-29T23:59:59Z' },
  { run: 'silent', project: 'a', closedAt: '2026-11-29T12:00:00Z' },
  { run: 'old', project: 'b', closedAt: '2026-11-23T00:00:00Z' },
  { run: 'before', project: 'a', closedAt: '2026-11-22T23:59:59Z' },
];

function service() {
  const asked: string[] = [];
  const client = {
    async *list({ project, limit = 0 }: { project?: string; limit?: number }) {
      for (const run of runs.slice(0, limit))
        if (project === undefined || run.project === project) yield { startedAt: '2026-11-01T00:00:00Z', ...run };
    },
    view: async (run: string) => {
      asked.push(`view ${run}`);
      return { time };
    },
    result: async (run: string) => {
      asked.push(run);
      if (run === 'silent') throw new NoReceiptError(run, 'lost');
      const atLeast = run === 'old' ? { wastedAtLeast: true } : {};
      const batches = { trained: 30, wasted: 2, wastedBy: { hostLost: 2 }, ...atLeast };
      if (run === 'sunday') return { batches: { trained: 1, wasted: 1 } };
      return { time: run === 'old' ? { ...time, validation: null, saving: null } : time, batches };
    },
  };
  return { asked, find: (question = {}) => findGoodput(client as never, question, now) };
}

it('is summed up by project and the week in which they ended, with what nobody knows', async () => {
  const { asked, find } = service();
  const found = goodputAnswerSchema.parse(await find({ weeks: 2 }));
  expect(asked.sort()).toEqual(['monday', 'old', 'silent', 'sunday', 'view open']);
  expect(found).toMatchObject({
    isCut: false,
    rows: [
      {
        ...{ project: 'a', week: '2026-11-30', runs: 2, untold: 0, isPartly: false, goodput: 0.75 },
        seconds: { training: 120, queue: 200, wrapUp: 2 },
        batches: { trained: 30, wasted: 2 },
        wastedBy: { hostLost: 2 },
      },
      // One of an older version, and one that was ended by force.
      { project: 'a', week: '2026-11-23', runs: 0, untold: 2, goodput: null },
      {
        ...{ project: 'b', week: '2026-11-23', runs: 1, isPartly: true, goodput: 0.75 },
        batches: { trained: 30, wasted: 2, wastedAtLeast: true },
      },
    ],
  });
  expect(found.rows[0]?.batches).not.toHaveProperty('wastedAtLeast');
  expect(goodputText(found.rows)).toMatch(/ 30 +2\n.* 30 +at least 2\s*$/s);
  expect(goodputText(found.rows).split('\n')[1]).toMatch(/^2026-11-30 +a +2 +75.0 % +3 min 20 s +2 min 0 s/);
});

it('is asked of one project, and of so many weeks', async () => {
  const { find } = service();
  expect((await find({ weeks: 2, project: 'b' })).rows.map(({ project }) => project)).toEqual(['b']);
  expect((await find({ weeks: 1 })).rows.map(({ week }) => week)).toEqual(['2026-11-30']);
  await expect(find({ weeks: 0 })).rejects.toThrow('weeks');
});

it.each([
  ['2026-11-30T00:00:00Z', '2026-11-30'],
  ['2026-11-29T23:59:59Z', '2026-11-23'],
  ['2026-01-01T10:00:00Z', '2025-12-29'],
])('weeks begin on Monday: %s', (instant, week) => {
  expect(weekOf(new Date(instant))).toBe(week);
});

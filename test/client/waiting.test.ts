/** What a person sees while nothing trains yet: the wait for a slot, and environments that are made. */
import { PassThrough } from 'node:stream';
import { defaultDataConverter } from '@temporalio/common';
import { afterEach, expect, it, vi } from 'vitest';
import { watchDisplay } from '../../client/cli/watch-display.ts';
import { liveProgress } from '../../client/live-progress.ts';
import { signsOfLife } from '../../worker/signs-of-life.ts';
import { Slots } from '../../worker/slots.ts';

afterEach(() => vi.useRealTimers());

const session = (state: number, queue: string, scheduledAt: number) =>
  ({
    raw: {
      pendingActivities: [
        {
          activityType: { name: 'openSession' },
          ...{
            state,
            attempt: 1,
            scheduledTime: { seconds: scheduledAt },
            activityOptions: { taskQueue: { name: queue } },
          },
        },
      ],
    },
  }) as unknown as Parameters<typeof liveProgress>[1];

const plain = { options: { loadedDataConverter: defaultDataConverter } } as Parameters<typeof liveProgress>[0];

it.each([
  [1_002, null],
  [1_005, '3 s'],
  [1_047, '40 s'],
  [1_000 + 7 * 60, '7 min'],
  [1_000 + 47 * 60, '40 min'],
  [1_000 + 3 * 3600 + 5, '3 h'],
])('a run that waits for a slot says where, and in steps for how long', async (now, waited) => {
  const live = await liveProgress(plain, session(1, 'gpu', 1_000), now * 1000);
  const doing = `waiting for a worker of pool gpu with a free slot (${waited} so far)`;
  expect(live).toEqual(waited === null ? [] : [{ kind: 'work', activity: 'openSession', work: { doing } }]);
});

it('neither a session that a worker has taken waits, nor one that its host is asked for', async () => {
  expect(await liveProgress(plain, session(2, 'gpu', 1_000), 2_000_000)).toEqual([]);
  expect(await liveProgress(plain, session(1, 'host.a', 1_000), 2_000_000)).toEqual([]);
});

it('a watch without a terminal tells each step of a set-up once, and none of storing', () => {
  const out = new PassThrough({ encoding: 'utf8' });
  const display = watchDisplay('run', { json: false, out });
  const work = (activity: string, doing: string) => display.show({ kind: 'work', activity, work: { doing } });
  work('openSession', 'wait for a slot');
  work('openSession', 'wait for a slot');
  work('keepCheckpoints', 'store epoch-0001');
  work('openSession', 'installing torch');
  const lines = String(out.read()).trim().split('\n');
  expect(lines.map((line) => line.split('  ').at(-1))).toEqual(['wait for a slot', 'installing torch']);
});

it('what takes long is told again, with how long it has taken', () => {
  vi.useFakeTimers();
  const said: string[] = [];
  const { tell, end } = signsOfLife((line) => said.push(line), 10_000);
  tell('installing');
  vi.advanceTimersByTime(25_000);
  tell('installing: torch');
  vi.advanceTimersByTime(10_000);
  end();
  vi.advanceTimersByTime(60_000);
  expect(said).toEqual([
    ...['installing', 'installing (10 s so far)', 'installing (20 s so far)'],
    ...['installing: torch', 'installing: torch (10 s so far)'],
  ]);
});

it('a worker says which runs have its slots once all are taken', () => {
  const full: string[][] = [];
  const slots = new Slots(2, (runs) => full.push([...runs]));
  slots.reserve('a', false);
  expect(full).toEqual([]);
  slots.reserve('b', false);
  expect(full).toEqual([['a', 'b']]);
});

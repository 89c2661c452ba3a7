/** How often an activity tells of itself: often while somebody watches its run, and else as seldom as its timeout allows. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { heartbeating, watchOf } from '../../activities/activity-support.ts';
import type { Host } from '../../worker/host.ts';
import { WatchedRuns } from '../../worker/watched-runs.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Runs for so many seconds; `at` has what happens then. Answers when it told, in seconds. */
async function told(
  seconds: number,
  isWatched?: () => boolean,
  at: Record<number, () => void> = {},
  heartbeatTimeoutMs = 30_000,
) {
  const environment = new MockActivityEnvironment({ heartbeatTimeoutMs });
  const began = performance.now();
  const beats: number[] = [];
  environment.on('heartbeat', () => beats.push((performance.now() - began) / 1000));
  const ended = environment.run(() =>
    heartbeating(
      () => ({ doing: 'train' }),
      () => new Promise<void>((resolve) => setTimeout(resolve, seconds * 1000)),
      isWatched,
    ),
  );
  for (let second = 0; second <= seconds; second++) {
    at[second]?.();
    await vi.advanceTimersByTimeAsync(1000);
  }
  await ended;
  return beats;
}

it('three times in its timeout where nobody watches, and not at all where it is over before', async () => {
  const beats = await told(35, () => false);
  expect(beats).toHaveLength(3);
  for (const [index, beat] of beats.entries()) expect(Math.abs(beat - 10 * (index + 1))).toBeLessThan(0.7);
  expect(await told(9, () => false)).toEqual([]);
});

it('once a minute where nobody watches and its timeout is long', async () => {
  const beats = await told(200, () => false, {}, 3_600_000);
  expect(beats).toHaveLength(3);
  for (const [index, beat] of beats.entries()) expect(Math.abs(beat - 60 * (index + 1))).toBeLessThan(0.7);
});

it('at once and several times a second from when its run is watched until it no longer is', async () => {
  const watched = new WatchedRuns();
  const isWatched = watchOf({ watched } as unknown as Host, 'a');
  const beats = await told(60, isWatched, { 12: () => watched.watch('a') });
  const during = beats.filter((beat) => beat >= 12 && beat <= 42);
  expect(during.length).toBeGreaterThan(100);
  expect(during[0]).toBeLessThan(12.5);
  expect(beats.length - during.length).toBeLessThanOrEqual(3);
});

it('several times a second where nobody says that it need not', async () => {
  expect((await told(3)).length).toBeGreaterThan(10);
});

/** Which runs are watched, and for how long nobody has to ask again. */
import { expect, it } from 'vitest';
import { WatchedRuns } from '../../worker/watched-runs.ts';

it('is watched for as long as it says, by however many ask', () => {
  let now = 0;
  const watched = new WatchedRuns(() => now);
  expect(watched.until('a')).toBeNull();
  const seconds = watched.watch('a');
  expect(watched.until('a')).toEqual(expect.any(String));
  expect(watched.until('b')).toBeNull();
  now = seconds * 1000 - 1;
  expect(watched.until('a')).not.toBeNull();
  watched.watch('a');
  now += seconds * 1000 - 1;
  expect(watched.until('a')).not.toBeNull();
  now += 1;
  expect(watched.until('a')).toBeNull();
});

it('tells each lease from the one before', async () => {
  const watched = new WatchedRuns();
  watched.watch('a');
  const first = watched.until('a');
  const renewed = () => {
    watched.watch('a');
    return watched.until('a');
  };
  await expect.poll(renewed).not.toBe(first);
});

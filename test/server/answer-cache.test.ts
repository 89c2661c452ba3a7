/** What many browsers ask at once is asked of Temporal once. */
import { afterEach, expect, it, vi } from 'vitest';
import { AnswerCache } from '../../server/answer-cache.ts';

/** A promise, and what fulfils it. */
function held<T>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

afterEach(() => {
  vi.useRealTimers();
});

it('asks once for all who ask meanwhile, and again when the answer is old, counted from when it came', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const cache = new AnswerCache<number | null>(1_000);
  const answers = [held<null>(), held<null>()];
  let asked = 0;
  const ask = () => answers[asked++]?.promise ?? Promise.reject(new Error('asked too often'));
  const both = Promise.all([cache.get('', ask), cache.get('', ask)]);
  vi.advanceTimersByTime(5_000);
  answers[0]?.resolve(null);
  expect(await both).toEqual([null, null]);
  vi.advanceTimersByTime(900);
  expect(await cache.get('', ask)).toBeNull();
  expect(asked).toBe(1);
  vi.advanceTimersByTime(200);
  answers[1]?.resolve(null);
  await vi.waitFor(async () => {
    await cache.get('', ask);
    expect(asked).toBe(2);
  });
});

it('does not remember a failure, and answers whoever was displaced by others', async () => {
  const cache = new AnswerCache<string>(60_000, 1);
  await expect(cache.get('a', () => Promise.reject(new Error('offline')))).rejects.toThrow('offline');
  const late = held<string>();
  const displaced = cache.get('a', () => late.promise);
  expect(await cache.get('b', async () => 'b')).toBe('b');
  late.resolve('a');
  expect(await displaced).toBe('a');
});

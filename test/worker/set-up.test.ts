/** A set-up that tells how far it is may take as long as it needs; one that stands still does not. */
import { pino } from 'pino';
import { expect, it, vi } from 'vitest';
import { LiveSession, SessionOver } from '../../worker/session.ts';
import { untilReady } from '../../worker/session-start.ts';

/** Seconds: several times what a busy machine holds up a timer. */
const limit = 1;

function made(): LiveSession {
  const parts = {
    run: 'r',
    host: 'h',
    life: {},
    folder: {},
    config: { epochs: 1, deadlines: {} },
    startEpoch: 0,
    name: {},
  };
  return new LiveSession({ ...parts, log: pino({ level: 'silent' }) } as unknown as ConstructorParameters<
    typeof LiveSession
  >[0]);
}

it('waits for a set-up that moves beyond its limit, and tells how far it is', async () => {
  const session = made();
  const told: unknown[] = [];
  session.progress.onSetUp = (doing, counted) => told.push([doing, counted]);
  const total = 22;
  let done = 0;
  const looking = setInterval(() => {
    session.listener.onEvent({ type: 'setUpProgress', doing: 'Looking at images', done: ++done, total });
    if (done === total) session.listener.onEvent({ type: 'ready', resumedFrom: null });
  }, 100);
  const began = performance.now();
  await untilReady(session, limit, new AbortController().signal);
  clearInterval(looking);
  expect(performance.now() - began).toBeGreaterThan(2 * limit * 1000);
  expect(told.at(-1)).toEqual(['Looking at images', { done: total, total }]);
});

it('does not wait for one that stands still', async () => {
  const session = made();
  const endHang = vi.spyOn(session, 'endHang').mockResolvedValue();
  await expect(untilReady(session, limit, new AbortController().signal)).rejects.toThrow(SessionOver);
  expect(endHang).toHaveBeenCalledWith(expect.stringContaining(`not ready after ${limit} s`));
});

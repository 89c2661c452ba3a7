/** Slots are reserved before anything is started in them, and given back once, whatever became of it. */
import type { ActivitySlotInfo, CustomSlotSupplier } from '@temporalio/worker';
import { expect, it } from 'vitest';
import { Slots } from '../../worker/slots.ts';

const indexes = (slots: Slots, runs: readonly string[]) => runs.map((run) => slots.reserve(run, false)?.index ?? null);

it('a lease is a slot that nobody else gets until it is released, also where no trainer came of it', () => {
  const slots = new Slots(2);
  const lease = slots.reserve('a', false);
  expect(indexes(slots, ['b', 'c'])).toEqual([1, null]);
  expect(slots.taken).toEqual(['a', 'b']);
  lease?.release();
  expect(slots.reserve('c', false)?.index).toBe(0);
});

it('a lease that is released twice does not give away what another run has by then', () => {
  const slots = new Slots(1);
  const lease = slots.reserve('a', false);
  lease?.release();
  expect(indexes(slots, ['b'])).toEqual([0]);
  lease?.release();
  expect(slots.taken).toEqual(['b']);
  expect(indexes(slots, ['c'])).toEqual([null]);
});

it('the slot of a trainer that is there already is reserved again, and is given back like any other', () => {
  const slots = new Slots(3);
  const lease = slots.reserveAgain('a', 2);
  expect(lease?.index).toBe(2);
  // Which is unknown, is of a host with more slots, or is taken: any that is free.
  expect(slots.reserveAgain('b', undefined)?.index).toBe(0);
  expect(slots.reserveAgain('c', 7)?.index).toBe(1);
  lease?.release();
  expect(indexes(slots, ['d', 'e'])).toEqual([2, null]);
});

it('a poll of the pool is let through while a slot is free that no poll before may fill', async () => {
  const slots = new Slots(1);
  const pool = slots.poolSlots() as CustomSlotSupplier<ActivitySlotInfo>;
  const { signal } = new AbortController();
  const permit = await pool.reserveSlot({} as never, signal);
  const lease = slots.reserve('a', true);
  pool.releaseSlot({ permit } as never);
  let isLetThrough = false;
  const next = Promise.resolve(pool.reserveSlot({} as never, signal)).then(() => {
    isLetThrough = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isLetThrough).toBe(false);
  lease?.release();
  await next;
  slots.close();
  expect(slots.reserve('b', true)).toBeNull();
});

/** A worker in a batch job has nothing to do once no slot is taken, and nothing is opened or stored, for a while. */
import { expect, it } from 'vitest';
import { untilIdle } from '../../worker/idle-worker.ts';
import { KeyedMutex } from '../../worker/keyed-mutex.ts';
import { Slots } from '../../worker/slots.ts';

const never = new AbortController().signal;

it.each(['a run that trains', 'a session that is opened', 'a run that is published'])('%s keeps it', async (what) => {
  const parts = { slots: new Slots(1), openings: new KeyedMutex(), outputs: new KeyedMutex() };
  let isDone = false;
  let end: () => void = () => undefined;
  const work = new Promise<void>((resolve) => {
    end = resolve;
  });
  const lease = what === 'a run that trains' ? parts.slots.reserve('run', false) : null;
  if (what === 'a session that is opened') void parts.openings.runExclusive('run', never, () => work);
  if (what === 'a run that is published') void parts.outputs.runExclusive('run', never, () => work);
  // The same with nothing to do is over first, though it began later and waits as long.
  const busy = untilIdle(parts, 0.05, never).then((isIdle) => {
    expect(isDone).toBe(true);
    return isIdle;
  });
  const free = { slots: new Slots(1), openings: new KeyedMutex(), outputs: new KeyedMutex() };
  for (let looks = 0; looks < 3; looks++) expect(await untilIdle(free, 0.05, never)).toBe(true);
  isDone = true;
  end();
  lease?.release();
  expect(await busy).toBe(true);
});

it('one that is told to go waits for nothing', async () => {
  const gone = new AbortController();
  const slots = new Slots(1);
  slots.reserve('run', false);
  const waiting = untilIdle({ slots, openings: new KeyedMutex(), outputs: new KeyedMutex() }, 3600, gone.signal);
  gone.abort();
  expect(await waiting).toBe(false);
});

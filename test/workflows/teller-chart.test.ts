/** When an observer is told, and how often a delivery is begun: each costs the run's history. */
import { describe, expect, it } from 'vitest';
import { initialTransition, type SnapshotFrom, transition } from 'xstate';
import { tellerChart } from '../../workflows/teller-chart.ts';

const seconds = 1_000;
const hours = 3_600_000;

type Event = Parameters<typeof transition<typeof tellerChart>>[2];

/** The chart with a clock of its own. A delivery ends when the test says so. */
class Teller {
  snapshot: SnapshotFrom<typeof tellerChart>;
  now = 0;
  /** Of deliveries: when they began, and whether they are the last. */
  readonly begun: { at: number; isLast: boolean }[] = [];
  #child: string | null = null;
  readonly #timers = new Map<string, { at: number; event: Event }>();

  constructor() {
    const [snapshot, effects] = initialTransition(tellerChart, { observer: 'a' });
    this.snapshot = snapshot;
    this.#perform(effects);
  }

  send(event: Event): void {
    const [snapshot, effects] = transition(tellerChart, this.snapshot, event);
    this.snapshot = snapshot;
    this.#perform(effects);
  }

  answer(event: { output: { hasNews: boolean } } | { error: Error }): void {
    const kind = 'error' in event ? 'error' : 'done';
    this.send({ type: `xstate.${kind}.actor.${this.#child}`, ...event } as unknown as Event);
  }

  /** Lets this much time pass. `fails`: each delivery that is under way is given up after so long. */
  pass(time: number, fails: number | null = null): void {
    const end = this.now + time;
    for (;;) {
      const [id, timer] = [...this.#timers].sort(([, a], [, b]) => a.at - b.at)[0] ?? [null, null];
      const givenUpAt = fails !== null && this.#child ? (this.begun.at(-1)?.at ?? 0) + fails : Number.POSITIVE_INFINITY;
      const next = Math.min(timer?.at ?? Number.POSITIVE_INFINITY, givenUpAt);
      if (next > end) break;
      this.now = next;
      if (timer && id && timer.at === next) {
        this.#timers.delete(id);
        this.send(timer.event);
      } else this.answer({ error: new Error('it does not answer') });
    }
    this.now = end;
  }

  #perform(effects: readonly { type: string; params?: unknown }[]): void {
    for (const { type, params } of effects) {
      const given = params as { id: string; sendId: string; delay: number; event: Event; input: { isLast: boolean } };
      if (type === 'xstate.spawnChild') {
        this.#child = given.id;
        this.begun.push({ at: this.now, isLast: given.input.isLast });
      } else if (type === 'xstate.stopChild') {
        if (this.#child === given.id) this.#child = null;
      } else if (type === 'xstate.raise')
        this.#timers.set(given.id, { at: this.now + given.delay, event: given.event });
      else if (type === 'xstate.cancel') this.#timers.delete(given.sendId);
    }
  }
}

describe('a teller', () => {
  it('tells at once, then at most every 10 s, and nothing where there is nothing', () => {
    const teller = new Teller();
    teller.pass(hours);
    expect(teller.begun).toEqual([]);
    teller.send({ type: 'NEWS' });
    teller.send({ type: 'NEWS' });
    expect(teller.begun).toHaveLength(1);
    teller.answer({ output: { hasNews: false } });
    teller.pass(20 * seconds);
    expect(teller.begun).toHaveLength(2);
    teller.answer({ output: { hasNews: false } });
    teller.pass(hours);
    expect(teller.begun).toHaveLength(2);
  });

  it.each([
    ['that is tried for hours', 6 * hours],
    ['that is refused at once', 0],
  ])('begins few deliveries in a month: one %s', (_, fails) => {
    const teller = new Teller();
    teller.send({ type: 'NEWS' });
    for (let hour = 0; hour < 30 * 24; hour++) {
      teller.pass(hours, fails);
      teller.send({ type: 'NEWS' });
    }
    expect(teller.begun.length).toBeLessThan(800);
    // Who is back is told at the pace that is usual.
    if (!teller.snapshot.matches('telling')) teller.pass(hours);
    teller.answer({ output: { hasNews: true } });
    const before = teller.begun.length;
    teller.pass(10 * seconds);
    expect(teller.begun).toHaveLength(before + 1);
  });

  it('tells the rest at the end, whatever it is doing, and is over when that was told or given up', () => {
    const idle = new Teller();
    idle.send({ type: 'ENDING' });
    expect([idle.snapshot.status, idle.begun.length]).toEqual(['done', 0]);

    const resting = new Teller();
    resting.send({ type: 'NEWS' });
    resting.answer({ error: new Error('it does not answer') });
    resting.send({ type: 'ENDING' });
    expect(resting.begun.map(({ isLast }) => isLast)).toEqual([false, true]);
    resting.answer({ output: { hasNews: true } });
    expect(resting.begun.map(({ isLast }) => isLast)).toEqual([false, true, true]);
    resting.answer({ error: new Error('it does not answer') });
    expect(resting.snapshot.status).toBe('done');
  });

  it('does not wait at the end for a delivery that may be between two attempts', () => {
    const teller = new Teller();
    teller.send({ type: 'NEWS' });
    teller.pass(hours);
    teller.send({ type: 'ENDING' });
    teller.pass(3 * seconds);
    expect(teller.begun.map(({ isLast }) => isLast)).toEqual([false, true]);
    teller.pass(20 * seconds);
    expect(teller.begun).toHaveLength(2);
    teller.answer({ output: { hasNews: false } });
    expect(teller.snapshot.status).toBe('done');
  });

  it('is not asked anything more once the workflow goes on in a new run', () => {
    const teller = new Teller();
    teller.send({ type: 'NEWS' });
    teller.send({ type: 'RENEWING' });
    teller.send({ type: 'NEWS' });
    teller.pass(hours);
    expect(teller.begun).toHaveLength(1);
  });
});

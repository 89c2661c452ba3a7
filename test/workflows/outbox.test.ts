/** What a run has to tell its observers: each event once, in order, and never more than it can carry. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ObservedEvent, observedKinds } from '../../contracts/observed-events.ts';
import { runConfigSchema } from '../../contracts/run-config.ts';
import {
  begun,
  type Change,
  emptyOutbox,
  heard,
  leftIn,
  nextFor,
  noted,
  type Outbox,
  untold,
} from '../../workflows/outbox.ts';
import { firstContext, type RunContext } from '../../workflows/run-context.ts';

const config = runConfigSchema.parse({ trainer: 'counter', epochs: 5 });
const trains: RunContext = {
  ...firstContext({ run: 'r', draft: {}, isDraft: false }),
  plan: { config, best: { metric: 'loss', mode: 'min' }, canShrinkBatch: true, outputFolder: '/s/r' },
};
const training = { state: 'training', detail: 'training.epoch' } as const;
const now = new Date('2026-01-01T00:00:00Z');

const all = (...names: string[]) => names.map((name) => ({ name, kinds: [...observedKinds] }));
const change = (before: RunContext, after: RunContext, more: Partial<Change> = {}): Change => ({
  run: 'r',
  chain: ['first'],
  place: 'r',
  before,
  after,
  from: training,
  to: training,
  now,
  ...more,
});

const withEpoch = (context: RunContext, epoch: number): RunContext => ({
  ...context,
  position: { epoch, batch: 0 },
  curve: { stride: 1, points: [{ epoch, at: now.toISOString(), seconds: 1, metrics: { loss: 1 / epoch } }] },
});

/** After epochs 1 to `epochs`, one transition each. */
function afterEpochs(epochs: number, outbox = emptyOutbox(all('a', 'b'))): Outbox {
  let context = trains;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const next = withEpoch(context, epoch);
    outbox = noted(outbox, change(context, next));
    context = next;
  }
  return outbox;
}

const countOf = (events: readonly ObservedEvent[], kind: 'epoch' | 'gap') =>
  events.reduce((sum, event) => {
    if (event.kind === 'gap') return sum + (event.data.events[kind] ?? 0);
    return sum + (event.kind === kind ? 1 : 0);
  }, 0);

describe('an event', () => {
  it('is told of no restart where one is taken back, for its session was found again', () => {
    const restart = { reason: 'failure', failure: { kind: 'nan', message: 'loss is NaN' }, epoch: 1 } as const;
    const lost = { reason: 'failure', failure: { kind: 'hostLost', message: 'silent' }, epoch: 1 } as const;
    const before: RunContext = { ...trains, restarts: [restart, lost] };
    const outbox = noted(emptyOutbox(all('a')), change(before, { ...before, restarts: [restart] }));
    expect(outbox.events).toEqual([]);
  });

  it('is told of a metric once a life, when it is first as somebody waits for it', () => {
    const metrics = [
      { metric: 'loss', is: '<' as const, bound: 0.5 },
      { metric: 'loss', is: '>=' as const, bound: 2 },
      { metric: 'other', is: '<' as const, bound: 9 },
    ];
    const observers = [{ name: 'a', kinds: ['metric'], waitsFor: { metrics, queued: [] } }];
    const plan = { ...trains.plan, observers } as RunContext['plan'];
    let [outbox, context] = [emptyOutbox(observers), { ...trains, plan }];
    // The loss of epoch 2 is 0.5 itself; the run is rolled back from 4 to 2, and gets to 3 again.
    for (const epoch of [1, 2, 3, 4, 2, 3]) {
      const next = withEpoch(context, epoch);
      outbox = noted(outbox, change(context, next));
      context = next;
    }
    const met = { ...metrics[0], value: 1 / 3, epoch: 3 };
    expect(outbox.events).toMatchObject([{ kind: 'metric', position: { epoch: 3 }, data: met }]);
    expect(outbox.events).toHaveLength(1);
  });

  it('is told of each epoch, checkpoint, restart, hold, state, and of the end, numbered through', () => {
    const entry = { name: 'epoch-0001', epoch: 1, batch: 0, metrics: {}, files: [], createdAt: now.toISOString() };
    const stored = (isStored: boolean): RunContext => ({
      ...trains,
      ledger: [{ ...entry, session: 's', host: 'h', reasons: ['last'], stored: isStored }],
    });
    const restarted: RunContext = {
      ...trains,
      restarts: [{ reason: 'failure', failure: { kind: 'nan', message: 'loss is NaN' }, epoch: 1 }],
    };
    let outbox = emptyOutbox(all('a'));
    outbox = noted(outbox, change(trains, trains, { from: null }));
    outbox = noted(outbox, change(trains, withEpoch(trains, 1)));
    outbox = noted(outbox, change(stored(false), stored(true)));
    outbox = noted(outbox, change(trains, restarted));
    outbox = noted(outbox, change(trains, { ...trains, pauseWanted: true }));
    outbox = noted(outbox, change(trains, trains, { to: { state: 'stopped', detail: 'stopped' } }));
    expect(outbox.events.map(({ seq, id, kind }) => [seq, id, kind])).toEqual([
      [1, 'first/1', 'state'],
      [2, 'first/2', 'epoch'],
      [3, 'first/3', 'checkpoint'],
      [4, 'first/4', 'restart'],
      [5, 'first/5', 'held'],
      [6, 'first/6', 'state'],
      [7, 'first/7', 'ended'],
    ]);
    expect(outbox.events.at(-1)?.data).toMatchObject({ outcome: 'completed', place: 'r', outputFolder: '/s/r' });
  });

  it('of an epoch that the curve has no more is counted', () => {
    const outbox = noted(emptyOutbox(all('a')), change(trains, withEpoch(trains, 4)));
    expect(outbox.events.map(({ kind }) => kind)).toEqual(['gap', 'epoch']);
    expect(countOf(outbox.events, 'epoch')).toBe(4);
  });

  it('of an epoch that another run trained is none of this one', () => {
    const resumedFrom = { epoch: 30, batch: 0 };
    const session = { id: 's', host: 'h', resumedFrom, devices: [], versions: {}, startedAt: now.toISOString() };
    const begun: RunContext = { ...trains, session, position: { epoch: 30, batch: 0 } };
    expect(noted(emptyOutbox(all('a')), change(trains, begun)).events).toEqual([]);
  });

  it('is kept for nobody where nobody observes it', () => {
    expect(afterEpochs(3, emptyOutbox([])).events).toEqual([]);
    const outbox = afterEpochs(3, emptyOutbox([{ name: 'a', kinds: ['ended', 'gap', 'of a later version'] }]));
    expect(outbox).toMatchObject({ last: 3, events: [] });
  });

  it('has the id of the execution in which it happened: a reset begins another one in the same life', () => {
    const later = { chain: ['first', 'after a reset'] };
    const [event] = noted(emptyOutbox(all('a')), change(trains, withEpoch(trains, 1), later)).events;
    expect(event).toMatchObject({ id: 'after a reset/1', life: 'first' });
  });

  it('has an end: a traceback is in the receipt, and of thousands of metrics it has the first', () => {
    const failure = { kind: 'trainerError', message: 'm'.repeat(4_000), traceback: 't'.repeat(16_000) } as const;
    const metrics = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`metric ${index}`, index]));
    const failed: RunContext = {
      ...withEpoch(trains, 1),
      restarts: [{ reason: 'failure', failure, epoch: 1 }],
      curve: { stride: 1, points: [{ epoch: 1, at: now.toISOString(), seconds: 1, metrics }] },
    };
    const { events } = noted(emptyOutbox(all('a')), change(trains, failed));
    expect(events.map(({ kind }) => kind)).toEqual(['restart', 'epoch']);
    expect(JSON.stringify(events).length).toBeLessThan(20_000);
    expect(events[1]?.data).toMatchObject({ metrics: { 'metric 0': 0 } });
  });
});

describe('an outbox', () => {
  it('keeps what not everybody has heard', () => {
    let outbox = afterEpochs(4);
    outbox = heard(outbox, 'a', 3);
    expect(untold(outbox, 'a').map(({ seq }) => seq)).toEqual([4]);
    expect(untold(outbox, 'b').map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    outbox = heard(outbox, 'b', 2);
    expect(outbox.events.map(({ seq }) => seq)).toEqual([3, 4]);
  });

  it('has room for what is large, too', () => {
    let outbox = emptyOutbox(all('a'));
    for (let epoch = 1; epoch <= 60; epoch++) {
      const metrics = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`metric ${index}`, Math.random()]));
      const next = withEpoch(trains, epoch);
      next.curve.points = next.curve.points.map((point) => ({ ...point, metrics }));
      outbox = noted(outbox, change({ ...trains, position: { epoch: epoch - 1, batch: 0 } }, next));
      expect(JSON.stringify(outbox.events).length).toBeLessThan(100_000);
    }
    expect(countOf(untold(outbox, 'a'), 'epoch')).toBe(60);
    expect(outbox.events.at(-1)?.kind).toBe('epoch');
  });

  it('has a bound, loses no count, and never folds an end, a state, a restart or a hold', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('epoch', 'hold', 'heard'), { maxLength: 600, size: 'max' }), (steps) => {
        let outbox = emptyOutbox(all('a', 'b'));
        let context = trains;
        let holds = 0;
        let epochs = 0;
        for (const step of steps) {
          if (step === 'heard') {
            outbox = heard(outbox, 'a', outbox.last);
            continue;
          }
          const isHold = step === 'hold' && holds < 40;
          const next = isHold
            ? { ...context, pauseWanted: !context.pauseWanted }
            : withEpoch(context, context.position.epoch + 1);
          if (isHold) holds++;
          else epochs++;
          outbox = noted(outbox, change(context, next));
          context = next;
        }
        const events = untold(outbox, 'b');
        expect(events.length).toBeLessThanOrEqual(100);
        expect(countOf(events, 'epoch')).toBe(epochs);
        expect(events.filter(({ kind }) => kind === 'held')).toHaveLength(holds);
        const order = events.map(({ seq }) => seq);
        expect(order).toEqual([...new Set(order)].sort((a, b) => a - b));
        expect(untold(outbox, 'a').length).toBeLessThanOrEqual(events.length);
      }),
    );
  });

  it('counts in no gap what an observer may have been told, whoever is slow, however deliveries end', () => {
    const happens = fc.constantFrom('epoch', 'epochs', 'hold', 'begins', 'ends');
    const step = fc.record({ what: happens, observer: fc.constantFrom('a', 'b'), share: fc.nat(10), hears: fc.nat(2) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        let outbox = emptyOutbox(all('a', 'b'));
        let context = trains;
        const observers = { a: new Map<string, ObservedEvent>(), b: new Map<string, ObservedEvent>() };
        const underWay: Partial<Record<string, ObservedEvent[]>> = {};
        const happen = (next: RunContext) => {
          outbox = noted(outbox, change(context, next));
          context = next;
        };
        const begin = (observer: string) => {
          const events = nextFor(outbox, observer);
          expect(JSON.stringify(events).length).toBeLessThan(50_000);
          underWay[observer] = events;
          outbox = begun(outbox, observer, events.at(-1)?.seq ?? 0);
        };
        /** `hears`: the run hears nothing of it (0), that all of it arrived (1), or how far it got (2). */
        const end = (observer: 'a' | 'b', share: number, hears: number) => {
          const events = underWay[observer] ?? [];
          const arrived = hears === 1 ? events : events.slice(0, Math.ceil((events.length * share) / 10));
          for (const event of arrived) observers[observer].set(event.id, event);
          if (hears > 0) outbox = heard(outbox, observer, arrived.at(-1)?.seq ?? 0);
          delete underWay[observer];
        };
        for (const { what, observer, share, hears } of steps) {
          if (what === 'epoch') happen(withEpoch(context, context.position.epoch + 1));
          else if (what === 'epochs') {
            for (let more = 0; more < 40; more++) happen(withEpoch(context, context.position.epoch + 1));
          } else if (what === 'hold') happen({ ...context, pauseWanted: !context.pauseWanted });
          else if (what === 'ends') end(observer, share, hears);
          else if (!underWay[observer]) begin(observer);
          expect(outbox.events.length).toBeLessThanOrEqual(300);
          expect(JSON.stringify(outbox.events).length).toBeLessThan(150_000);
        }
        for (const observer of ['a', 'b'] as const) {
          for (end(observer, 0, 0); untold(outbox, observer).length > 0; end(observer, 10, 1)) begin(observer);
          const told = [...observers[observer].values()];
          expect(countOf(told, 'epoch')).toBe(context.position.epoch);
        }
        expect(outbox.events).toEqual([]);
      }),
    );
  });

  it('is handed over with each event once, however many observers have not been told of it', () => {
    const names = Array.from({ length: 22 }, (_, index) => `observer-${index}`);
    const large = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`metric ${index}`, Math.random()]));
    let outbox = emptyOutbox(all(...names));
    for (let epoch = 1; epoch <= 5; epoch++) {
      const next = withEpoch(trains, epoch);
      next.curve.points = next.curve.points.map((point) => ({ ...point, metrics: large }));
      outbox = noted(outbox, change({ ...trains, position: { epoch: epoch - 1, batch: 0 } }, next));
    }
    for (const name of names.slice(1)) outbox = heard(outbox, name, 2);
    const left = leftIn(outbox, names);
    expect(left.events).toEqual(untold(outbox, 'observer-0'));
    for (const { observer, seqs } of left.untold) {
      expect(seqs).toEqual(untold(outbox, observer).map(({ seq }) => seq));
    }
    expect(left.untold).toHaveLength(22);
    // A message of Temporal has 2 MB.
    expect(JSON.stringify(left).length).toBeLessThan(110_000);
    expect(leftIn(heard(outbox, 'observer-1', 5), ['observer-1'])).toEqual({ events: [], untold: [] });
  });

  it('leaves room beside a delivery that is under way, and what that has told as it is', () => {
    const large = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`metric ${index}`, Math.random()]));
    const epochs = (from: number, to: number, outbox: Outbox) => {
      for (let epoch = from; epoch <= to; epoch++) {
        const next = withEpoch(trains, epoch);
        next.curve.points = next.curve.points.map((point) => ({ ...point, metrics: large }));
        outbox = noted(outbox, change({ ...trains, position: { epoch: epoch - 1, batch: 0 } }, next));
      }
      return outbox;
    };
    let outbox = epochs(1, 20, emptyOutbox(all('a')));
    const sent = nextFor(outbox, 'a');
    expect(sent.length).toBeGreaterThan(1);
    outbox = epochs(21, 60, begun(outbox, 'a', sent.at(-1)?.seq ?? 0));
    expect(JSON.stringify(outbox.events).length).toBeLessThan(100_000);
    expect(untold(outbox, 'a').slice(0, sent.length)).toEqual(sent);
    outbox = heard(outbox, 'a', sent.at(-1)?.seq ?? 0);
    expect(countOf(sent, 'epoch') + countOf(untold(outbox, 'a'), 'epoch')).toBe(60);
  });
});

/** What a run has to tell its observers: each event once, in order, and never more than it can carry. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ObservedEvent } from '../../contracts/observed-events.ts';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { type Change, emptyOutbox, heard, noted, type Outbox, untold } from '../../workflows/outbox.ts';
import { firstContext, type RunContext } from '../../workflows/run-context.ts';

const config = runConfigSchema.parse({ trainer: 'counter', epochs: 5 });
const trains: RunContext = {
  ...firstContext({ run: 'r', draft: {}, isDraft: false }),
  plan: { config, best: { metric: 'loss', mode: 'min' }, canShrinkBatch: true, outputFolder: '/s/r' },
};
const training = { state: 'training', detail: 'training.epoch' } as const;
const now = new Date('2026-01-01T00:00:00Z');

const change = (before: RunContext, after: RunContext, more: Partial<Change> = {}): Change => ({
  run: 'r',
  life: 'first',
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
function afterEpochs(epochs: number, outbox = emptyOutbox(['a', 'b'])): Outbox {
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
    let outbox = emptyOutbox(['a']);
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
    const outbox = noted(emptyOutbox(['a']), change(trains, withEpoch(trains, 4)));
    expect(outbox.events.map(({ kind }) => kind)).toEqual(['gap', 'epoch']);
    expect(countOf(outbox.events, 'epoch')).toBe(4);
  });

  it('is kept for nobody where nobody observes', () => {
    expect(afterEpochs(3, emptyOutbox([])).events).toEqual([]);
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

  it('has a bound, loses no count, and never folds an end, a state, a restart or a hold', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('epoch', 'hold', 'heard'), { maxLength: 600 }), (steps) => {
        let outbox = emptyOutbox(['a', 'b']);
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
});

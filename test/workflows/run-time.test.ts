/** Where the time of a run goes, by cause, from change to change. */
import { describe, expect, it } from 'vitest';
import { goodputOf, timeCauses } from '../../contracts/run-time.ts';
import { withEpochParts, withLostEpochs } from '../../workflows/epoch-parts.ts';
import { firstContext, type RunContext } from '../../workflows/run-context.ts';
import type { PlainChange } from '../../workflows/run-measures.ts';
import { RunClock } from '../../workflows/run-time.ts';

const at = (detail: string): PlainChange['to'] => {
  const [state = ''] = detail.split('.');
  return { state: state as PlainChange['to']['state'], detail };
};
const second = (seconds: number) => new Date(seconds * 1000);
const session = (id: string, startedAt: number, more: object = {}) => ({
  ...{ id, host: 'h', resumedFrom: null, devices: [], versions: {}, startedAt: second(startedAt).toISOString() },
  ...more,
});
const opened = (id: string, startedAt: number, more: object = {}) => {
  const open = session(id, startedAt, more);
  return { session: open, lastSession: open };
};
const hostLost = { reason: 'failure' as const, failure: { kind: 'hostLost' as const, message: 'm' }, epoch: 1 };

/** A run that lives through changes: at which second, into which state, with what. */
class Story {
  readonly clock = new RunClock(second(0));
  context: RunContext = firstContext(undefined);
  #from: PlainChange['to'] | null = null;
  #now = 0;

  goes(now: number, detail: string, change: Partial<RunContext> = {}): this {
    const [before, to] = [this.context, at(detail)];
    this.context = { ...before, ...change };
    this.clock.note({ before, after: this.context, from: this.#from, to, now: second(now) });
    this.#from = to;
    this.#now = now;
    return this;
  }

  time(now = this.#now) {
    const { time } = this.clock.timeOf(this.context, this.#from?.detail ?? '', second(now));
    if (!time) throw new Error('it does not know');
    return Object.fromEntries(Object.entries(time).filter(([, seconds]) => seconds !== 0));
  }
}

const begun = () => new Story().goes(0, 'configuring.validating').goes(2, 'training.acquiring');
const trains = () => begun().goes(12, 'training.epoch', opened('a', 9));

describe('a session that is opened', () => {
  it('waited for its slot, and was set up in it; a draft and the check are not counted', () => {
    expect(trains().time()).toEqual({ queue: 7, setUp: 3 });
    // Until there is one, nobody knows.
    expect(begun().goes(5, 'training.acquiring').time(8)).toEqual({ queue: 6 });
  });

  it('of a host whose clock is another one has no more than there was', () => {
    expect(begun().goes(12, 'training.epoch', opened('a', 500)).time()).toEqual({ queue: 10 });
    expect(begun().goes(12, 'training.epoch', opened('a', -500)).time()).toEqual({ setUp: 10 });
  });

  it('after a failure is set up for its restart, as the back-off was; after a pause it is not', () => {
    const failed = trains()
      .goes(20, 'training.recovering', { session: null, restarts: [hostLost] })
      .goes(25, 'training.acquiring')
      .goes(31, 'training.epoch', opened('b', 27));
    expect(failed.time()).toEqual({ queue: 9, setUp: 3, training: 8, restarts: 9 });
    const paused = trains()
      .goes(20, 'training.pausing')
      .goes(21, 'training.paused', { session: null })
      .goes(121, 'training.acquiring')
      .goes(125, 'training.epoch', opened('b', 123));
    expect(paused.time()).toEqual({ queue: 9, setUp: 5, training: 8, paused: 101 });
  });

  it('that is found again has trained on meanwhile, and its next one is no restart of it', () => {
    const before = trains().goes(20, 'training.acquiring', { restarts: [hostLost] });
    const found = before.goes(50, 'training.epoch', { ...opened('a', 9), restarts: [] });
    expect(found.time()).toEqual({ queue: 7, setUp: 3, training: 38 });
  });

  it('of a host that was lost trained nothing that counts while it was silent, unless it is found again', () => {
    const plan = { config: { deadlines: { heartbeatSeconds: 15 } } } as RunContext['plan'];
    const lost = () =>
      trains()
        .goes(30, 'training.epoch')
        .goes(37, 'training.acquiring', { plan, restarts: [hostLost] });
    expect(lost().time()).toEqual({ queue: 7, setUp: 3, training: 10, restarts: 15 });
    const another = lost().goes(47, 'training.epoch', opened('b', 45));
    expect(another.time()).toEqual({ queue: 15, setUp: 3, training: 10, restarts: 17 });
    const found = lost().goes(47, 'training.epoch', { ...opened('a', 9), restarts: [] });
    expect(found.time()).toEqual({ queue: 7, setUp: 3, training: 35 });
  });

  it('that came to nothing was a restart where it failed, and else a wait', () => {
    const failed = begun().goes(12, 'training.recovering', { restarts: [hostLost] });
    expect(failed.time(13)).toEqual({ restarts: 11 });
    expect(begun().goes(12, 'stopping.choosing').time()).toEqual({ queue: 10 });
  });
});

it('what is told of validation and saving is not training; what is not told is unknown', () => {
  const epochs = [
    { validationSeconds: 3, savingSeconds: 1.5 },
    { validationSeconds: 1, savingSeconds: 0.5 },
  ];
  const none = { validation: 0, saving: 0 };
  const parts = withEpochParts(none, epochs as never);
  expect(parts).toEqual({ validation: 4, saving: 2, epochs: 2 });
  const told = trains().goes(32, 'training.epoch', { inEpochs: parts });
  expect(told.time(33)).toEqual({ queue: 7, setUp: 3, training: 15, validation: 4, saving: 2 });
  // Validating an epoch that is trained again was for nothing, too.
  const back = trains().goes(32, 'training.epoch', { inEpochs: withLostEpochs(parts, 1) });
  expect(back.time()).toEqual({ queue: 7, setUp: 3, training: 14, validation: 2, saving: 2, repeated: 2 });
  expect(withLostEpochs(parts, -1)).toBe(parts);
  expect(withEpochParts(none, [{ validationSeconds: 3 }] as never)).toBeNull();
  expect(withEpochParts(null, epochs as never)).toBeNull();
  expect(withEpochParts(undefined, epochs as never)).toBeUndefined();
  const untold = trains().goes(32, 'training.epoch', { inEpochs: null });
  expect(untold.time()).toEqual({ queue: 7, setUp: 3, training: 20, validation: null, saving: null });
});

it('batches that were trained again, or for nothing, take their share of the training', () => {
  const [of10, position] = [{ batchesPerEpoch: 10 }, { epoch: 3, batch: 0 }];
  const resumed = { resumedFrom: { epoch: 1, batch: 0 } };
  // Another run has trained the first epoch: 20 batches count, and 5 do not.
  const story = begun().goes(12, 'training.epoch', opened('a', 9, resumed));
  story.goes(20, 'training.epoch', { ...of10, restarts: [hostLost] });
  story.goes(37, 'training.epoch', { position, reached: position, batchesWasted: 5 });
  expect(story.time()).toMatchObject({ training: 20, repeated: 5 });
  expect(story.clock.wastedBy(story.context)).toEqual({ wastedBy: { hostLost: 5 } });
  // While a session is open, what lies beyond the position may count yet.
  story.goes(37, 'training.epoch', { reached: { epoch: 3, batch: 5 } });
  expect(story.time()).toMatchObject({ training: 20, repeated: 5 });
  story.goes(37, 'stopping.ended', { session: null, stop: { by: 'update', mode: 'now' } });
  expect(story.time()).toMatchObject({ training: 16.667, repeated: 8.333 });
  expect(story.clock.wastedBy(story.context)).toEqual({ wastedBy: { hostLost: 5, stop: 5 } });
});

it('no second is lost, nor counted twice, and what an older version has carried on is unknown', () => {
  const story = trains().goes(40, 'training.finishing').goes(45, 'stopping.batch', { session: null });
  story.goes(46, 'uploading.publishing').goes(50, 'uploading.cleaningUp');
  const { time } = story.clock.timeOf(story.context, 'uploading.cleaningUp', second(52));
  expect(time && timeCauses.reduce((sum, cause) => sum + (time[cause] ?? 0), 0)).toBe(50);
  expect(time).toMatchObject({ training: 28, wrapUp: 12 });
  // Without the seven seconds in the queue.
  expect(time && goodputOf(time)).toBeCloseTo(28 / 43);
  // Between two workflow runs a moment passes.
  const carriedOn = new RunClock(second(51));
  carriedOn.carryOn(story.clock.carried);
  expect(carriedOn.timeOf(story.context, 'uploading.cleaningUp', second(52)).time).toEqual(time);
  carriedOn.carryOn(undefined);
  expect(carriedOn.timeOf(story.context, 'uploading.cleaningUp', second(52))).toEqual({});
  expect(carriedOn.wastedBy(story.context)).toEqual({});
});

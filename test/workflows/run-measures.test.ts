/** What a change of a run adds to what is counted of all runs. */
import { describe, expect, it } from 'vitest';
import { firstContext, type RunContext } from '../../workflows/run-context.ts';
import { measureOf, type PlainChange } from '../../workflows/run-measures.ts';

const begun = { since: new Date(1_000), stateSince: new Date(-9_000) };
const at = (detail: string): PlainChange['to'] => {
  const [state = ''] = detail.split('.');
  return { state: state as PlainChange['to']['state'], detail };
};

function measured(before: Partial<RunContext>, after: Partial<RunContext>, from = 'training.epoch', to = from) {
  const context = firstContext(undefined);
  const change = {
    before: { ...context, ...before },
    after: { ...context, ...before, ...after },
    now: new Date(4_000),
  };
  return measureOf({ ...change, from: at(from), to: at(to) }, begun);
}

const hostLost = { reason: 'failure' as const, failure: { kind: 'hostLost' as const, message: 'm' }, epoch: 1 };
const preempted = { reason: 'preemption' as const, failure: null, epoch: 1 };
const session = { id: 's', host: 'h', resumedFrom: null, devices: [], versions: {}, startedAt: '' };
const nothing = { epochs: { count: 0, seconds: 0 }, restart: null, wasted: null, stopped: null, ended: null };

it('the time since the change before was spent in the state that it leaves', () => {
  expect(measured({}, {}, 'training.acquiring', 'training.epoch')).toEqual({
    ...nothing,
    spent: { state: 'training.acquiring', seconds: 3 },
  });
});

it('a clock that was set back counts nothing', () => {
  const context = firstContext(undefined);
  const change = { before: context, after: context, from: at('training.epoch'), to: at('training.epoch') };
  expect(measureOf({ ...change, now: new Date(0) }, begun)).toBeNull();
});

describe('epochs', () => {
  const curve = {
    ...firstContext(undefined).curve,
    points: [1, 2, 3].map((epoch) => ({ epoch, at: '2026-01-01T00:00:00.000Z', seconds: epoch * 10, metrics: {} })),
  };

  it('are counted once they are complete', () => {
    const [before, after] = [
      { session, position: { epoch: 1, batch: 0 } },
      { curve, position: { epoch: 3, batch: 0 } },
    ];
    expect(measured(before, after)?.epochs).toEqual({ count: 2, seconds: 50 });
  });

  it('that a session began with are not', () => {
    const after = { session, curve, position: { epoch: 3, batch: 0 } };
    expect(measured({}, after)?.epochs).toEqual({ count: 0, seconds: 0 });
  });
});

describe('restarts and what they cost', () => {
  it('are counted by their cause, and what is trained again with the session that does so', () => {
    expect(measured({}, { restarts: [preempted] })?.restart).toBe('preemption');
    const lost = measured({ restarts: [preempted] }, { restarts: [preempted, hostLost] });
    expect(lost).toMatchObject({ restart: 'hostLost', wasted: null });
    const again = measured({ restarts: [hostLost] }, { batchesWasted: 7 });
    expect(again).toMatchObject({ restart: null, wasted: { cause: 'hostLost', batches: 7 } });
  });

  it('are not counted again where one is taken back', () => {
    expect(measured({ restarts: [preempted, hostLost] }, { restarts: [preempted] })?.restart).toBeNull();
  });

  it('are told at the end, too, by what ended it: nobody trains those batches again', () => {
    const lost = { position: { epoch: 1, batch: 0 }, reached: { epoch: 1, batch: 4 }, batchesPerEpoch: 10 };
    const stop = { by: 'update' as const, mode: 'now' as const };
    expect(measured({ ...lost, stop }, {}, 'uploading.publish', 'stopped')?.wasted).toEqual({
      cause: 'stop',
      batches: 4,
    });
    const nan = measured({ ...lost, failure: { kind: 'nan', message: 'm' } }, {}, 'uploading.publish', 'stopped');
    expect(nan?.wasted).toEqual({ cause: 'nan', batches: 4 });
  });
});

it('a stop took as long as the run was stopping', () => {
  const stop = { by: 'update' as const, mode: 'batch' as const };
  expect(measured({ stop }, {}, 'stopping.batch', 'stopping.terminate')?.stopped).toBeNull();
  expect(measured({ stop }, {}, 'stopping.terminate', 'uploading.publish')?.stopped).toEqual({
    mode: 'batch',
    seconds: 13,
  });
  expect(measured({}, {}, 'stopping.batch', 'uploading.publish')?.stopped?.mode).toBe('none');
});

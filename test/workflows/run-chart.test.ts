/** The chart, model-checked: what holds in every state that it can be in, and for every step. */
import { describe, expect, it } from 'vitest';
import { transition } from 'xstate';
import { runChart } from '../../workflows/run-chart.ts';
import { outcomeOf } from '../../workflows/run-receipt.ts';
import { chartPosition } from '../../workflows/run-view.ts';
import { defect, epochs, explore, type Snapshot, timers } from './explored-chart.ts';

/** For a slot, on any host. */
const waits = (value: Snapshot['value']) => JSON.stringify(value).includes('"acquiring":"waiting"');

/** What is done with the child of this name. */
const effectsOf = (snapshot: Snapshot, type: 'SESSION_LOST' | 'SESSION_FOUND', child: string): string[] => {
  const [, effects] = transition(runChart, snapshot, { type, session: 's' });
  return effects.filter(({ params }) => Reflect.get(Object(params), 'id') === child).map((effect) => effect.type);
};

/** The only ways between the five states. A step may pass `stopping` within one transition, when no trainer runs. */
const allowed: Record<string, string[]> = {
  configuring: ['configuring', 'training', 'stopped'],
  training: ['training', 'stopping', 'uploading'],
  stopping: ['stopping', 'uploading'],
  uploading: ['uploading', 'stopped'],
  stopped: ['stopped'],
};

describe.each([{ isDraft: false }, { isDraft: true }])('the chart, draft: $isDraft', ({ isDraft }) => {
  const { snapshots, steps } = explore(isDraft);
  const ends = snapshots.filter(({ status }) => status === 'done');
  const trained = ({ context }: Snapshot) => context.plan !== null;

  it('is explored whole', () => {
    const counts = `${snapshots.length} states, ${steps.length} (state, event) pairs, ${ends.length} ends`;
    process.stdout.write(`model check, draft ${isDraft}: ${counts}\n`);
    const states = new Set(snapshots.map(({ value }) => chartPosition(value).state));
    expect(states).toEqual(new Set(['configuring', 'training', 'stopping', 'uploading', 'stopped']));
  });

  it('has no step that leaves training but by stopping and uploading, nor one that goes back', () => {
    for (const { from, event, to } of steps) {
      const [before, after] = [chartPosition(from.value), chartPosition(to.value)];
      expect(allowed[before.state], `${before.detail} --${event.type}--> ${after.detail}`).toContain(after.state);
    }
  });

  it('goes on in a place of its own from wherever another life was found: no session, nothing published, nowhere back', () => {
    const asking = snapshots.filter(({ children }) => Object.keys(children).some((id) => id !== 'checkConfig'));
    // One for each in which the chart could answer otherwise: there are thousands.
    const alike = ({ value, context: { stop, pauseWanted, ledger } }: Snapshot) =>
      JSON.stringify([value, stop, pauseWanted, ledger.length]);
    for (const from of new Map(asking.map((snapshot) => [alike(snapshot), snapshot])).values()) {
      const names = from.context.ledger.map(({ name }) => name);
      for (const brought of [names, []]) {
        const moved = { place: 'model@00000001', outputFolder: '/2', before: '/1', brought, processGroupGone: true };
        const [to] = transition(runChart, from, { type: 'MOVED', moved });
        const [before, after] = [chartPosition(from.value), chartPosition(to.value)];
        expect(allowed[before.state], `${before.detail} --MOVED--> ${after.detail}`).toContain(after.state);
        expect(to.context).toMatchObject({ plan: { place: moved.place }, session: null, published: null, dropped: [] });
        expect(to.context.ledger.every(({ stored, name }) => stored && brought.includes(name))).toBe(true);
        if (from.context.stop) expect(after.state).not.toBe('training');
      }
    }
  });

  it('publishes and cleans up before every end that follows training', () => {
    for (const end of ends.filter(trained)) {
      expect(end.context.published !== null || end.context.publishFailure !== null).toBe(true);
    }
    for (const { from, to } of steps) {
      if (to.status === 'done' && from.status === 'active' && trained(from)) {
        expect(chartPosition(from.value).detail).toBe('uploading.cleaningUp');
      }
    }
  });

  it('never gets stuck: something is always awaited, a person, a child or a timer', () => {
    for (const snapshot of snapshots) {
      if (snapshot.status !== 'active') continue;
      const { detail } = chartPosition(snapshot.value);
      const waitsForPeople = ['configuring.draft', 'training.paused', 'training.renewing'].includes(detail);
      expect(waitsForPeople || Object.keys(snapshot.children).length + timers(snapshot).length > 0, detail).toBe(true);
    }
  });

  it('never asks a trainer to end that was never opened, nor trains without a session', () => {
    for (const { children, context } of snapshots) {
      if ('stopTrainer' in children || 'trainEpoch' in children) expect(context.session).not.toBeNull();
    }
  });

  it('never forgets a session whose end nobody saw: its trainer is asked to stop before anything is published', () => {
    const asked = steps.filter(({ from, event }) => 'trainEpoch' in from.children && event.error === defect);
    expect(asked.length).toBeGreaterThan(0);
    for (const { from, to } of asked) {
      expect(to.context.session).toEqual(from.context.session);
      expect(chartPosition(to.value).state).toBe('stopping');
    }
    const climbed = steps.filter(({ from, event }) => 'stopTrainer' in from.children && event.error === defect);
    for (const { from, to } of climbed) {
      const { detail } = chartPosition(from.value);
      if (/\.(epoch|batch|terminate)$/.test(detail)) expect(to.context.session, detail).not.toBeNull();
    }
  });

  it('calls a run done whose trainer says that it is done, whatever was believed before', () => {
    const done = steps.filter(
      ({ from, event }) => 'stopTrainer' in from.children && Reflect.get(Object(event.output), 'finished'),
    );
    expect(done.some(({ from }) => from.context.failure?.kind === 'internal')).toBe(true);
    for (const { from, to } of done) {
      if (from.context.position.epoch === epochs) expect(to.context.failure).toBeNull();
    }
  });

  it('stores anew at once where the worker that was storing was lost', () => {
    const storing = snapshots.filter(
      ({ children, context }) =>
        'keepCheckpoints' in children &&
        context.session?.id === 's' &&
        context.dropped.length > 0 &&
        !context.renewalDue,
    );
    expect(storing.length).toBeGreaterThan(0);
    for (const snapshot of storing) {
      for (const type of ['SESSION_LOST', 'SESSION_FOUND'] as const) {
        expect(effectsOf(snapshot, type, 'keepCheckpoints')).toEqual(['xstate.stopChild', 'xstate.spawnChild']);
      }
    }
  });

  it('asks its trainer anew where another worker has taken the session up, and notes no restart', () => {
    const asking = snapshots.filter(
      ({ value, context }) =>
        ['training.epoch', 'training.finishing'].includes(chartPosition(value).detail) && context.session?.id === 's',
    );
    expect(asking.length).toBeGreaterThan(0);
    for (const snapshot of asking) {
      const [next] = transition(runChart, snapshot, { type: 'SESSION_FOUND', session: 's' });
      expect(chartPosition(next.value).detail).toBe(chartPosition(snapshot.value).detail);
      expect(next.context.restarts).toEqual(snapshot.context.restarts);
      const child = chartPosition(snapshot.value).detail === 'training.epoch' ? 'trainEpoch' : 'stopTrainer';
      expect(effectsOf(snapshot, 'SESSION_FOUND', child)).toEqual(['xstate.stopChild', 'xstate.spawnChild']);
    }
  });

  it('asks the host of its last session first, once that is back, whichever one it was waiting for', () => {
    const waiting = snapshots.filter(
      ({ value, context }) =>
        waits(value) && context.lastSession?.id === 's' && !context.handedOver && context.notAfter === null,
    );
    expect(waiting.length).toBeGreaterThan(0);
    for (const snapshot of waiting) {
      const [returning, effects] = transition(runChart, snapshot, { type: 'SESSION_FOUND', session: 's' });
      expect(effects.map(({ type }) => type)).toContain('cancelChild');
      const withdrawn = {
        type: 'xstate.error.actor.openSession',
        error: new Error('cancelled'),
        actorId: 'openSession',
      };
      const [again] = transition(runChart, returning, withdrawn as never);
      expect(waits(again.value)).toBe(true);
      expect(again.context.restarts).toEqual(snapshot.context.restarts);
    }
  });

  it('can be stopped from everywhere: a stop leads out of training, or is remembered until a child has answered', () => {
    for (const { from, event, to } of steps) {
      if (event.type !== 'STOP' || chartPosition(from.value).state !== 'training') continue;
      const after = chartPosition(to.value);
      expect(
        after.state !== 'training' || after.detail === 'training.acquiring',
        chartPosition(from.value).detail,
      ).toBe(true);
      expect(to.context.stop).not.toBeNull();
    }
  });

  it('tells a stop as a stop, whatever became of the host or its worker', () => {
    for (const { context } of ends) {
      if (context.stop) expect(['hostLost', 'workerLost']).not.toContain(context.failure?.kind);
    }
  });

  it('ends in the outcome that was: never completed with anything missing or with a failure', () => {
    for (const { context } of ends) {
      if (!context.plan || outcomeOf(context) !== 'completed') continue;
      expect(context.position.epoch).toBe(context.endedEarly?.epoch ?? epochs);
      expect(context.finished).toBe(true);
      expect(context.failure).toBeNull();
      expect(context.publishFailure).toBeNull();
    }
  });
});

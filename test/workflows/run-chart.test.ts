/**
 * The chart, model-checked: every reachable state with every event, without a server. Children answer in every way
 * they can, timers fire or do not.
 */
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { type AnyEventObject, type SnapshotFrom, transition } from 'xstate';
import { getAdjacencyMap } from 'xstate/graph';
import { type SessionFailure, sessionFailedType } from '../../contracts/run-activities.ts';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { runChart } from '../../workflows/run-chart.ts';
import { outcomeOf } from '../../workflows/run-receipt.ts';
import { chartPosition } from '../../workflows/run-view.ts';

type Snapshot = SnapshotFrom<typeof runChart>;

const epochs = 2;
const config = runConfigSchema.parse({ run: 'model', trainer: 'digits', epochs, failures: { restarts: 1 } });
const plan = { ok: true, config, best: { metric: 'loss', mode: 'min' }, canShrinkBatch: true, outputFolder: '/store' };
const session = (id: string) => ({
  id,
  host: 'h',
  resumedFrom: null,
  devices: [],
  versions: {},
  startedAt: '2026-01-01T00:00:00.000Z',
});
const emptyReport = { epochs: [], checkpoints: [], position: { epoch: 0, batch: 0 }, notes: [] };

const failure = (details: Partial<SessionFailure>) =>
  new ActivityFailure(
    'failed',
    'trainEpoch',
    'id',
    'NON_RETRYABLE_FAILURE',
    'worker',
    ApplicationFailure.create({
      type: sessionFailedType,
      details: [{ failure: null, preempted: false, report: null, reached: null, ...details }],
    }),
  );

const defect = new Error('a defect');
const silence = new ActivityFailure(
  'timed out',
  'stopTrainer',
  'id',
  'TIMEOUT',
  'worker',
  new TimeoutFailure('no answer', undefined, 'HEARTBEAT'),
);

const foundAgain = ({ context }: Snapshot) => ({
  session: context.lastSession,
  report: { ...emptyReport, position: context.position },
  attached: true,
});

const endedEarly = { epoch: 1, reason: 'it learns no more' };

const reportOf = (epoch: number) => ({
  epochs: [{ epoch, batches: 3, seconds: 1, metrics: { loss: 1 / epoch }, at: '2026-01-01T00:00:00.000Z' }],
  checkpoints: [
    {
      name: `epoch-${epoch}`,
      epoch,
      batch: 0,
      metrics: { loss: 1 / epoch },
      files: [],
      createdAt: '2026-01-01T00:00:00.000Z',
      session: 's',
    },
  ],
  position: { epoch, batch: 0 },
  notes: [],
});

/** Everything that can answer for a child of the chart in this snapshot. */
function answers(id: string, snapshot: Snapshot): AnyEventObject[] {
  const done = (output: unknown) => ({ type: `xstate.done.actor.${id}`, output, actorId: id });
  const error = (cause: unknown) => ({ type: `xstate.error.actor.${id}`, error: cause, actorId: id });
  const trouble = [
    error(failure({ preempted: true })),
    error(failure({ failure: { kind: 'hostLost', message: 'gone' } })),
    error(failure({ failure: { kind: 'trainerError', message: 'broken' } })),
    error(failure({ failure: { kind: 'outOfMemory', message: 'full' } })),
    error(failure({ failure: { kind: 'nan', message: 'nan' } })),
    error(failure({ failure: { kind: 'data', message: 'no data' } })),
    error(defect),
  ];
  const { epoch } = snapshot.context.position;
  switch (id) {
    case 'checkConfig':
      return [
        done(plan),
        done({ ok: false, problems: [{ field: 'epochs', value: '0', message: 'no' }] }),
        error(new Error('x')),
      ];
    case 'openSession':
      return [
        done({ session: session('s'), report: { ...emptyReport, position: snapshot.context.position } }),
        ...(snapshot.context.lastSession ? [done(foundAgain(snapshot))] : []),
        ...trouble,
      ];
    case 'trainEpoch':
      return [
        done(reportOf(epoch + 1)),
        ...(epoch === 1 ? [done({ ...emptyReport, position: { epoch, batch: 0 }, endedEarly })] : []),
        ...trouble,
      ];
    case 'keepCheckpoints':
      return [
        done({
          stored: snapshot.context.ledger.map(({ name }) => name),
          removed: snapshot.context.dropped,
          damaged: [],
          bytes: 0,
        }),
        done({ stored: [], removed: [], damaged: snapshot.context.ledger.slice(-1).map(({ name }) => name), bytes: 0 }),
        error(new Error('store down')),
      ];
    case 'stopTrainer': {
      const isLast = epoch >= (snapshot.context.endedEarly?.epoch ?? epochs);
      const end = {
        report: { ...emptyReport, position: snapshot.context.position },
        reached: { epoch, batch: 2 },
        exit: null,
        processGroupGone: true,
        gpuMemoryReleased: null,
        batchesAfterStop: 0,
        acknowledgedAfterMs: 1,
        failure: null,
        finished: false,
      };
      return [
        done(end),
        ...(isLast ? [done({ ...end, finished: true })] : []),
        done({ ...end, failure: { kind: 'trainerError', message: 'while it ended' } }),
        error(defect),
        error(silence),
      ];
    }
    case 'publish':
      return [
        done({ checkpoints: reportOf(epochs).checkpoints, files: [], bytes: 0, lost: [], host: 'h1' }),
        done({ checkpoints: [], files: [], bytes: 0, lost: ['epoch-1'], host: null }),
        error(new Error('store down')),
      ];
    case 'cleanUp':
      return [done({ outcome: 'completed' }), error(new Error('x'))];
    default:
      throw new Error(`the model knows no child ${id}`);
  }
}

const messages: AnyEventObject[] = [
  { type: 'CONFIGURE', draft: { epochs } },
  { type: 'TRAIN' },
  { type: 'STOP', by: 'update', mode: 'batch' },
  { type: 'STOP', by: 'cancel', mode: 'batch' },
  { type: 'STOP', by: 'update', mode: 'epoch' },
  { type: 'STOP', by: 'update', mode: 'now' },
  { type: 'PAUSE' },
  { type: 'RESUME' },
  { type: 'SESSION_LOST', session: 's' },
  { type: 'SESSION_LOST', session: 'another' },
  { type: 'SESSION_FOUND', session: 's' },
  { type: 'SESSION_FOUND', session: 'another' },
  { type: 'RENEWAL_DUE' },
  { type: 'RENEWED' },
];

/** For a slot, on any host. */
const waits = (value: Snapshot['value']) => JSON.stringify(value).includes('"acquiring":"waiting"');

/** What is done with the child of this name. */
const effectsOf = (snapshot: Snapshot, type: 'SESSION_LOST' | 'SESSION_FOUND', child: string): string[] => {
  const [, effects] = transition(runChart, snapshot, { type, session: 's' });
  return effects.filter(({ params }) => Reflect.get(Object(params), 'id') === child).map((effect) => effect.type);
};

/** What of a snapshot decides about what may follow; times and texts do not. */
const key = ({ value, context, children }: Snapshot) =>
  JSON.stringify([
    value,
    Object.keys(children).sort(),
    context.position.epoch,
    context.failuresInRow,
    context.failure?.kind ?? null,
    context.stop,
    context.session?.id ?? null,
    context.pauseWanted,
    context.renewalDue,
    context.ledger.map((entry) => entry.stored),
    context.dropped.length > 0 && !context.renewalDue,
    context.isDraft,
    context.problems.length > 0,
    context.notAfter?.epoch ?? null,
    context.publishFailure !== null,
    context.published !== null,
    context.finished,
    context.endedEarly !== null,
  ]);

/** Timers that are set in this snapshot, as the events that they raise. */
const timers = (snapshot: Snapshot): AnyEventObject[] =>
  snapshot._nodes.flatMap((node) => node.after.map(({ eventType }) => ({ type: eventType })));

const eventsIn = (snapshot: Snapshot) => [
  ...messages,
  ...Object.keys(snapshot.children).flatMap((id) => answers(id, snapshot)),
  ...timers(snapshot),
];

function explore(isDraft: boolean) {
  const map = getAdjacencyMap(runChart, {
    input: { run: 'model', draft: { epochs }, isDraft },
    events: (snapshot) => (snapshot.status === 'active' ? (eventsIn(snapshot) as never[]) : []),
    serializeState: key,
    serializeEvent: (event) =>
      JSON.stringify(event, (_, value) =>
        value instanceof Error
          ? String(value.cause ?? value) + JSON.stringify((value.cause as { details?: unknown } | undefined)?.details)
          : value,
      ),
    limit: 1_000_000,
  });
  const nodes: { state: Snapshot; transitions: Record<string, { event: AnyEventObject; state: Snapshot }> }[] =
    Object.values(map);
  const steps = nodes.flatMap(({ state, transitions }) =>
    Object.values(transitions).map(({ event, state: next }) => ({ from: state, event, to: next })),
  );
  return { snapshots: nodes.map(({ state }) => state), steps };
}

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

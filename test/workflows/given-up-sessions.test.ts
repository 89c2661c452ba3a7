/**
 * A run gives a session up, for its host is silent, and the session has ended meanwhile: its cause is told once, whoever is faster, the
 * run or the worker that is back. Each interleaving of the two.
 */
import { ActivityFailure, ApplicationFailure, CancelledFailure, TimeoutFailure } from '@temporalio/common';
import { expect, it } from 'vitest';
import { type AnyEventObject, initialTransition, type SnapshotFrom, transition } from 'xstate';
import type { Failure } from '../../contracts/failure.ts';
import { type SessionFailure, sessionFailedType } from '../../contracts/run-activities.ts';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { runChart } from '../../workflows/run-chart.ts';
import { beginStory, timeRestarts } from '../../workflows/run-story.ts';
import { chartPosition } from '../../workflows/run-view.ts';

type Snapshot = SnapshotFrom<typeof runChart>;

const config = runConfigSchema.parse({ run: 'r', trainer: 'digits', epochs: 2, failures: { restarts: 2 } });
const sessionOn = (host: string, id: string) => ({
  ...{ id, host, resumedFrom: null, devices: [], versions: {}, startedAt: '2026-01-01T00:00:00.000Z' },
});
const session = sessionOn('h', 's');
const report = (epoch: number) => ({ epochs: [], checkpoints: [], position: { epoch, batch: 0 }, notes: [] });

const error = (id: string, cause: Error): AnyEventObject => ({
  ...{ type: `xstate.error.actor.${id}`, actorId: id },
  error: new ActivityFailure('failed', id, 'id', 'NON_RETRYABLE_FAILURE', 'worker', cause),
});
const done = (id: string, output: unknown): AnyEventObject => ({
  ...{ type: `xstate.done.actor.${id}`, actorId: id, output },
});
const ended = (failure: Failure, more: Partial<SessionFailure> = {}) =>
  ApplicationFailure.create({
    type: sessionFailedType,
    details: [{ failure, preempted: false, report: null, reached: null, ...more }],
  });

const killed: Failure = { kind: 'trainerKilled', message: 'SIGKILL', exit: { code: null, signal: 'SIGKILL' } };
const broken: Failure = { kind: 'trainerError', message: 'it raised' };
const unattended: Failure = { kind: 'workerLost', message: 'no worker came in time' };
const otherStore: Failure = { kind: 'otherStore', message: 'another store' };

/** What may come to a run, by name. */
const steps = {
  'it is given up': (id: string) => error(id, new TimeoutFailure('silence', undefined, 'HEARTBEAT')),
  'its host says that it is there': () => ({ type: 'SESSION_FOUND', session: 's' }),
  'its host gives it back': () => done('openSession', { session, report: report(0), attached: true }),
  'the wait ends': () => error('openSession', new CancelledFailure('withdrawn')),
  'another host fails to open one': () => error('openSession', ended(otherStore, { host: 'h2' })),
  'another host opens one': () =>
    done('openSession', { session: sessionOn('h2', 's2'), report: report(0), attached: false }),
  'a while passes': () => ({ type: 'xstate.after.backoff.run.training.sessions.recovering' }),
  pause: () => ({ type: 'PAUSE' }),
  resume: () => ({ type: 'RESUME' }),
} satisfies Record<string, (id: string) => AnyEventObject>;
type Step = keyof typeof steps;

/** In each of them the session is found in the end. */
const interleavings: Step[][] = [
  [],
  ['its host says that it is there'],
  ['it is given up', 'its host gives it back'],
  ['it is given up', 'its host gives it back', 'its host says that it is there'],
  ['it is given up', 'its host says that it is there', 'its host gives it back'],
  ['it is given up', 'its host says that it is there', 'the wait ends', 'its host gives it back'],
  ['it is given up', 'its host says that it is there', 'its host says that it is there', 'its host gives it back'],
  ['it is given up', 'pause', 'the wait ends', 'resume', 'its host gives it back'],
  ['it is given up', 'its host says that it is there', 'pause', 'the wait ends', 'resume', 'its host gives it back'],
  ['it is given up', 'its host gives it back', 'it is given up', 'its host gives it back'],
];

/** A run that asks its session for an epoch, or for what follows the last one. */
function asking(state: 'epoch' | 'finishing'): Snapshot {
  const plan = {
    ok: true,
    config,
    best: { metric: 'loss', mode: 'min' },
    canShrinkBatch: true,
    outputFolder: '/store',
  };
  let [snapshot] = initialTransition(runChart, { run: 'r', draft: { epochs: 2 }, isDraft: false });
  snapshot = after(snapshot, done('checkConfig', plan));
  snapshot = after(snapshot, done('openSession', { session, report: report(0) }));
  if (state === 'finishing') snapshot = after(snapshot, done('trainEpoch', report(2)));
  expect(chartPosition(snapshot.value).detail).toBe(`training.${state}`);
  return snapshot;
}

const after = (snapshot: Snapshot, event: AnyEventObject): Snapshot =>
  transition(runChart, snapshot, event as never)[0] as Snapshot;

const childOf = { epoch: 'trainEpoch', finishing: 'stopTrainer' } as const;

function taken(state: 'epoch' | 'finishing', names: readonly Step[]): Snapshot {
  return names.reduce((snapshot, name) => {
    const next = after(snapshot, steps[name](childOf[state]));
    // A step that changes nothing would prove nothing; the session that is asked again is another child.
    if (!name.startsWith('its host says')) expect(next.value, name).not.toEqual(snapshot.value);
    return next;
  }, asking(state));
}

/** The end that the session tells, as the child that asks for it does. */
const tells = (state: 'epoch' | 'finishing', failure: Failure): AnyEventObject =>
  state === 'epoch'
    ? error('trainEpoch', ended(failure, { isOver: true, report: report(0) }))
    : done('stopTrainer', {
        ...{ report: report(2), reached: null, exit: failure.exit ?? null, processGroupGone: true },
        ...{ gpuMemoryReleased: null, batchesAfterStop: null, acknowledgedAfterMs: null, failure, finished: false },
      });

const cases = (['epoch', 'finishing'] as const).flatMap((state) =>
  interleavings.map((names): [typeof state, Step[]] => [state, names]),
);

it.each(cases)('in %s, its cause is told once, as if it had never been given up: %j', (state, names) => {
  const found = taken(state, names);
  expect(chartPosition(found.value).detail).toBe(`training.${state}`);
  expect(found.context).toMatchObject({ session: { id: 's' }, failure: null, restarts: [] });
  for (const failure of [killed, broken, unattended]) {
    const told = after(found, tells(state, failure));
    expect(told.context.restarts).toMatchObject([{ reason: 'failure', failure }]);
    // Nobody goes back for what has ended.
    expect(told.context.session).toBeNull();
    expect(told.context).toEqual(after(asking(state), tells(state, failure)).context);
  }
});

it.each(['epoch', 'finishing'] as const)('in %s, what happened elsewhere meanwhile stays', (state) => {
  const found = taken(state, [
    'it is given up',
    'another host fails to open one',
    'a while passes',
    'its host gives it back',
  ]);
  const kinds = ({ context }: Snapshot) => context.restarts.map(({ failure }) => failure?.kind);
  expect(kinds(found)).toEqual(['otherStore']);
  expect(kinds(after(found, tells(state, killed)))).toEqual(['otherStore', 'trainerKilled']);
});

it('a session that goes on elsewhere was lost: that stays, whoever finds the one before', () => {
  const elsewhere = taken('epoch', ['it is given up', 'another host opens one', 'its host says that it is there']);
  expect(elsewhere.context).toMatchObject({ session: { id: 's2' }, restarts: [{ failure: { kind: 'hostLost' } }] });
});

it('an older loss is none of a session that is found', () => {
  const given = done('openSession', { session: sessionOn('h2', 's2'), report: report(0), attached: true });
  const silent = error('stopTrainer', new TimeoutFailure('silence', undefined, 'HEARTBEAT'));
  const once = taken('epoch', ['it is given up', 'another host opens one']);
  const lost = error('trainEpoch', ended({ kind: 'hostLost', message: 'of the second one' }));
  // Given up, or asked to pause without an answer: then nothing was noted.
  for (const events of [[lost], [steps.pause(), silent, steps.resume()]]) {
    const again = [...events, given].reduce(after, once);
    expect(again.context).toMatchObject({
      session: { id: 's2' },
      restarts: [{ failure: { message: expect.stringContaining('no heartbeat') } }],
    });
    expect(again.context.restarts).toHaveLength(1);
  }
});

it('the times of restarts follow them, whichever one is taken back', () => {
  const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
  const [lost, other, told] = [{ of: 'lost' }, { of: 'other' }, { of: 'told' }];
  const lists = [[], [lost], [lost, other], [other], [other, told]];
  const story = lists.slice(1).reduce(
    (before, list, index) => {
      return timeRestarts(before, lists[index] ?? [], list, at(index));
    },
    beginStory(at(0)),
  );
  expect(story.restartTimes).toEqual([at(1).toISOString(), at(3).toISOString()]);
});

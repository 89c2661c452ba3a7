/**
 * Every state that the chart can be in, and every step between them, without a server: children answer in every way they can, timers
 * fire or do not.
 */
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/common';
import type { AnyEventObject, SnapshotFrom } from 'xstate';
import { getAdjacencyMap } from 'xstate/graph';
import { type SessionFailure, sessionFailedType } from '../../contracts/run-activities.ts';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { runChart } from '../../workflows/run-chart.ts';

export type Snapshot = SnapshotFrom<typeof runChart>;

export const epochs = 2;
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

export const defect = new Error('a defect');
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
export const timers = (snapshot: Snapshot): AnyEventObject[] =>
  snapshot._nodes.flatMap((node) => node.after.map(({ eventType }) => ({ type: eventType })));

const eventsIn = (snapshot: Snapshot) => [
  ...messages,
  ...Object.keys(snapshot.children).flatMap((id) => answers(id, snapshot)),
  ...timers(snapshot),
];

export function explore(isDraft: boolean) {
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

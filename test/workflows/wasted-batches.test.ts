/** How many batches a run counts as wasted when a session ends before an epoch of its was whole. */
import { ActivityFailure, CancelledFailure, TimeoutFailure, TimeoutType } from '@temporalio/common';
import { expect, it } from 'vitest';
import type { LedgerEntry } from '../../contracts/checkpoint.ts';
import { runConfigSchema } from '../../contracts/run-config.ts';
import type { SessionEnd } from '../../contracts/session.ts';
import { firstContext, type RunContext } from '../../workflows/run-context.ts';
import { adoptAttempt, adoptEnd, adoptFailure, adoptSession, adoptUnfinished } from '../../workflows/run-progress.ts';
import { composeReceipt } from '../../workflows/run-receipt.ts';
import { beginStory } from '../../workflows/run-story.ts';
import { sessionFailureOf } from '../../workflows/session-failures.ts';

const at = '2026-01-01T00:00:00.000Z';
const config = runConfigSchema.parse({ run: 'r', trainer: 't', epochs: 3 });
const plan = {
  config,
  best: { metric: 'loss', mode: 'min' } as const,
  canShrinkBatch: false,
  outputFolder: '/store/x',
};
const begun: RunContext = { ...firstContext({ run: 'r', draft: {}, isDraft: false }), plan };
const report = { epochs: [], checkpoints: [], position: { epoch: 0, batch: 0 }, notes: [] };
const session = (id: string) => ({ id, host: 'h', resumedFrom: null, devices: [], versions: {}, startedAt: at });

const batchesOf = (context: RunContext) => composeReceipt(context, beginStory(new Date(at)), new Date(at)).batches;

/** The run resumes from scratch: its first epoch was trained, but its checkpoint was not whole. */
const again = (context: RunContext) => adoptSession(context, { session: session('second'), report }).batchesWasted;

const killed = { kind: 'trainerKilled', message: 'killed' } as const;
const timedOut = new TimeoutFailure('no heartbeat', undefined, TimeoutType.HEARTBEAT);
const over = { failure: killed, preempted: false, report, reached: { epoch: 1, batch: 10 } };

it('counts the first epoch with the length that its trainer told', () => {
  expect(again({ ...begun, ...adoptFailure(begun, { ...over, batchesPerEpoch: 40 }) })).toBe(50);
});

it('validating an epoch is lost with it', () => {
  const inEpochs = { validation: 8, saving: 0, epochs: 2 };
  const trained: RunContext = { ...begun, inEpochs, position: { epoch: 2, batch: 5 } };
  const next = { ...session('second'), resumedFrom: { checkpoint: 'c', epoch: 1, batch: 30 } };
  expect(adoptSession(trained, { session: next, report }).inEpochs).toEqual({ ...inEpochs, lost: 1 });
  const on = { ...next, resumedFrom: { ...next.resumedFrom, epoch: 2, batch: 0 } };
  expect(adoptSession(trained, { session: on, report }).inEpochs).toEqual(inEpochs);
});

it('prefers the length of an epoch that was reported', () => {
  const known = { ...begun, batchesPerEpoch: 30 };
  expect(again({ ...known, ...adoptFailure(known, { ...over, batchesPerEpoch: 40 }) })).toBe(40);
});

it('takes it from the last heartbeat where the host is lost', () => {
  const heartbeat = {
    phase: 'train',
    epoch: 2,
    epochs: 3,
    batch: 10,
    batches: 40,
    metrics: {},
    rate: null,
    memoryBytes: null,
    at,
  };
  const timeout = new TimeoutFailure('no heartbeat', heartbeat, TimeoutType.HEARTBEAT);
  const lost = sessionFailureOf(new ActivityFailure('failed', 'trainEpoch', 'id', 'TIMEOUT', 'worker', timeout));
  expect(lost).toMatchObject({ failure: { kind: 'hostLost' }, batchesPerEpoch: 40 });
  const away: RunContext = { ...begun, ...adoptFailure(begun, { ...lost, report }) };
  expect(again(away)).toBe(50);
  // It may have trained on for as long as nobody heard of it: here, also where nobody trains it again, and after that was trained again.
  const isAtLeast = (context: RunContext) => batchesOf(context).wastedAtLeast;
  expect(isAtLeast(begun)).toBeUndefined();
  expect(isAtLeast(away)).toBe(true);
  const elsewhere = { ...away, ...adoptSession(away, { session: session('second'), report }) };
  expect(batchesOf(elsewhere)).toMatchObject({ wasted: 50, wastedAtLeast: true });
  const later = { ...elsewhere, ...adoptFailure(elsewhere, { ...over, batchesPerEpoch: 40 }) };
  expect(isAtLeast({ ...later, ...adoptSession(later, { session: session('third'), report }) })).toBe(true);
  const lostAgain = { ...elsewhere, ...adoptFailure(elsewhere, { ...lost, report }) };
  expect(
    isAtLeast({ ...lostAgain, ...adoptSession(lostAgain, { session: session('second'), report, attached: true }) }),
  ).toBe(true);
  // Its own host knows how far it came.
  const back = { ...away, ...adoptSession(away, { session: session('first'), report, attached: true }) };
  expect(isAtLeast(back)).toBeUndefined();
});

it('a host that never took up the work was not heard of either', () => {
  const timeout = new TimeoutFailure('no worker', undefined, TimeoutType.SCHEDULE_TO_START);
  const lost = sessionFailureOf(new ActivityFailure('failed', 'trainEpoch', 'id', 'TIMEOUT', 'worker', timeout));
  const trained = { ...begun, reached: { epoch: 0, batch: 7 } };
  const away = { ...trained, ...adoptFailure(trained, { ...lost, report }) };
  expect(batchesOf(away)).toMatchObject({ wasted: 7, wastedAtLeast: true });
});

it('a worker that gave up a session told no more of it either; one that did not come about, or had trained all, trained nothing', () => {
  const trained = { ...begun, reached: { epoch: 0, batch: 7 } };
  const gaveUp = adoptFailure(trained, sessionFailureOf(new CancelledFailure('WORKER_SHUTDOWN')));
  expect(batchesOf({ ...trained, ...gaveUp })).toMatchObject({ wasted: 7, wastedAtLeast: true });
  const attempt = adoptAttempt(trained, sessionFailureOf(timedOut));
  expect(batchesOf({ ...trained, ...attempt })).not.toHaveProperty('wastedAtLeast');
  const done = { ...begun, position: { epoch: 3, batch: 0 }, reached: { epoch: 3, batch: 0 } };
  const finishing = adoptFailure(done, sessionFailureOf(timedOut));
  expect(batchesOf({ ...done, ...finishing })).not.toHaveProperty('wastedAtLeast');
});

it('counts none of a session that was found again, and forgets nothing that it left', () => {
  const stored: LedgerEntry = {
    name: 'epoch-0002',
    epoch: 2,
    batch: 0,
    metrics: {},
    files: [],
    createdAt: at,
    session: 'first',
    host: 'h',
    stored: true,
    reasons: ['last', 'resume'],
  };
  const trained: RunContext = {
    ...begun,
    session: session('first'),
    lastSession: session('first'),
    ledger: [stored],
    position: { epoch: 2, batch: 0 },
    reached: { epoch: 2, batch: 0 },
    batchesPerEpoch: 40,
  };
  const hostLost = { kind: 'hostLost', message: 'silent' } as const;
  const away = {
    ...trained,
    ...adoptFailure(trained, { ...over, failure: hostLost, reached: { epoch: 2, batch: 10 } }),
  };
  const opened = { session: session('first'), report: { ...report, position: stored }, attached: true };
  expect(adoptSession(away, opened)).toMatchObject({
    session: { id: 'first' },
    position: { epoch: 2, batch: 0 },
    reached: { epoch: 2, batch: 10 },
    ledger: [stored],
  });
  expect({ ...away, ...adoptSession(away, opened) }.batchesWasted).toBe(0);
  // An epoch that it trained while nobody heard it.
  const further = { ...opened, report: { ...report, position: { epoch: 3, batch: 0 } } };
  expect(adoptSession(away, further)).toMatchObject({
    position: { epoch: 3, batch: 0 },
    reached: { epoch: 3, batch: 0 },
  });
});

const end: SessionEnd = {
  report,
  exit: null,
  processGroupGone: true,
  gpuMemoryReleased: null,
  batchesAfterStop: null,
  acknowledgedAfterMs: null,
  failure: killed,
  finished: false,
};

it.each([
  ['stopped', adoptEnd],
  ['finished', adoptUnfinished],
])('counts what a trainer lost that died while it %s', (_, adopt) => {
  const lost = { ...end, reached: over.reached, batchesPerEpoch: 40 };
  expect(again({ ...begun, ...adopt(begun, lost) })).toBe(50);
  const saved = { ...lost, report: { ...report, position: over.reached } };
  expect(adopt(begun, saved)).toMatchObject({ position: over.reached, reached: over.reached });
});

it.each([{ reached: null }, {}])('counts nothing of a trainer of which nobody knows how far it came: %j', (told) => {
  const trained = { ...begun, reached: { epoch: 0, batch: 7 } };
  expect(again({ ...trained, ...adoptEnd(trained, { ...end, ...told }) })).toBe(7);
});

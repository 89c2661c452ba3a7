/** How many batches a run counts as trained in vain when a session ends before an epoch of its was whole. */
import { ActivityFailure, TimeoutFailure, TimeoutType } from '@temporalio/common';
import { expect, it } from 'vitest';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { firstContext, type RunContext } from '../../workflows/run-context.ts';
import { adoptEnd, adoptFailure, adoptSession } from '../../workflows/run-progress.ts';
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

/** The run goes on from scratch: its first epoch was trained, but its checkpoint was not whole. */
const again = (context: RunContext) => adoptSession(context, { session: session('second'), report }).batchesWasted;

const killed = { kind: 'trainerKilled', message: 'killed' } as const;
const over = { failure: killed, preempted: false, report, reached: { epoch: 1, batch: 10 } };

it('counts the first epoch with the length that its trainer told', () => {
  expect(again({ ...begun, ...adoptFailure(begun, { ...over, batchesPerEpoch: 40 }) })).toBe(50);
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
  expect(again({ ...begun, ...adoptFailure(begun, { ...lost, report }) })).toBe(50);
});

it('counts what a trainer that was killed while it stopped had not saved', () => {
  const known = { ...begun, session: session('first'), position: { epoch: 1, batch: 0 }, batchesPerEpoch: 40 };
  const end = {
    ...{ report, exit: { code: null, signal: 'SIGKILL' }, processGroupGone: true, gpuMemoryReleased: null },
    ...{ batchesAfterStop: null, acknowledgedAfterMs: null, failure: null, finished: false },
  };
  expect(adoptEnd(known, { ...end, reached: { epoch: 1, batch: 10 } }).reached).toEqual({ epoch: 1, batch: 10 });
  // A worker that found the trainer already gone has not seen how far it came.
  expect(adoptEnd(known, end).reached).toEqual(known.position);
});

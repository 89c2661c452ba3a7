/** The one rule for what a run is and came to. What is not known is not guessed. */
import { expect, it } from 'vitest';
import { endedView } from '../../client/ended-view.ts';
import { newestLives, placeOfExecution } from '../../client/run-executions.ts';
import { queuedBefore, waitingOf } from '../../client/run-queue.ts';
import type { Receipt } from '../../contracts/receipt.ts';
import type { RunView } from '../../contracts/run-messages.ts';
import { mayHaveSalvage, outcomeOf, type RunFacts, standingOf, stateOf } from '../../contracts/run-summary.ts';
import { waitingPlace } from '../../contracts/search-attributes.ts';

const training: RunFacts = {
  workflowStatus: 'running',
  state: 'training',
  detail: 'training.epoch',
  outcome: null,
  salvage: null,
};
const forced: RunFacts = { ...training, workflowStatus: 'terminated' };

it.each<[string, Partial<RunFacts>, string, RunFacts['outcome']]>([
  ['trains', {}, 'training', null],
  ['is between two executions', { workflowStatus: 'continuedAsNew' }, 'training', null],
  ['is paused', { detail: 'training.paused' }, 'paused', null],
  ['waits for a slot', { detail: 'training.acquiring', isTakenUp: false }, 'waiting', null],
  ['is set up on a host', { detail: 'training.acquiring', isTakenUp: true }, 'starting', null],
  ['is a draft', { state: 'configuring', detail: 'configuring.draft' }, 'draft', null],
  ['has not been taken up by a worker', { state: null, detail: null }, 'unknown', null],
  ['completed', { workflowStatus: 'completed', state: 'stopped', outcome: 'completed' }, 'completed', 'completed'],
  [
    'has landed, and tells its observers',
    { state: 'stopped', detail: 'stopped', outcome: 'completed' },
    'completed',
    'completed',
  ],
  ['failed without a word', { workflowStatus: 'failed' }, 'failed', 'failed'],
  [
    'failed, and was salvaged',
    { workflowStatus: 'failed', salvage: { isOpen: false, outcome: 'salvaged' } },
    'salvaged',
    'salvaged',
  ],
  ['was terminated just now', { workflowStatus: 'terminated' }, 'ended', null],
  ['ran into a time limit', { workflowStatus: 'timedOut' }, 'ended', null],
  ['is being salvaged', { workflowStatus: 'terminated', salvage: { isOpen: true, outcome: null } }, 'salvaging', null],
  [
    'was salvaged',
    { workflowStatus: 'terminated', salvage: { isOpen: false, outcome: 'salvaged' } },
    'salvaged',
    'salvaged',
  ],
  ['is lost', { workflowStatus: 'terminated', salvage: { isOpen: false, outcome: 'lost' } }, 'lost', 'lost'],
  [
    'has a salvage that found nothing to tell',
    { workflowStatus: 'terminated', salvage: { isOpen: false, outcome: null } },
    'ended',
    null,
  ],
  ['was terminated as a draft', { workflowStatus: 'terminated', state: 'configuring' }, 'stopped', 'stopped'],
])('of a run that %s', (_, facts, standing, outcome) => {
  const whole = { ...training, ...facts };
  expect(standingOf(whole)).toBe(standing);
  expect(outcomeOf(whole)).toBe(outcome);
});

it('names the runs ahead by priority, then by who has waited longer, in one pool', () => {
  const place = (pool: string, priority: number, minute: string) =>
    waitingPlace(pool, priority, `2026-01-01T00:${minute}:00.000Z`);
  const queue = [place('gpu', 2, '09'), place('gpu', 3, '01'), place('gpu', 3, '05')].map((at, i) => ({
    run: `run-${i}`,
    place: at,
  }));
  const mine = waitingOf(place('gpu', 3, '05'));
  expect(mine).toMatchObject({ pool: 'gpu', since: '2026-01-01T00:05:00.000Z' });
  expect(mine && queuedBefore(queue, mine)).toEqual(['run-0', 'run-1']);
  expect(queuedBefore(queue, { place: place('gpu', 1, '59') })).toEqual([]);
  expect(waitingOf(null)).toBe(null);
  expect(waitingOf('gpu/3/some day')).toBe(null);
});

it('lists a run that was reset once, as its newest life, with the place that this has told', () => {
  const execution = (workflowId: string, seconds: number, place?: string) => ({
    execution: { workflowId, runId: String(seconds) },
    startTime: { seconds: seconds as never, nanos: 0 },
    ...(place ? { memo: { fields: { place: { data: Buffer.from(JSON.stringify(place)) } } } } : {}),
  });
  const reset = execution('a', 2, 'a@0123abcd');
  const listed = [execution('a', 1), execution('b', 1), reset];
  expect(newestLives(listed)).toEqual([listed[1], reset]);
  expect(newestLives(listed).map(placeOfExecution)).toEqual(['b', 'a@0123abcd']);
});

it('takes no state from a run that was ended by force, and asks its salvage', () => {
  expect(stateOf(forced)).toBe('stopped');
  expect(mayHaveSalvage(forced)).toBe(true);
  expect(mayHaveSalvage(training)).toBe(false);
  expect(mayHaveSalvage({ workflowStatus: 'completed', outcome: 'completed' })).toBe(false);
});

it('shows of such a run what its salvage landed, and nothing that it still counted on', () => {
  const entry = (name: string, epoch: number) => ({
    ...{ name, epoch, batch: 0, metrics: {}, createdAt: '2026-01-01T00:00:00.000Z', session: 's', host: 'gpu-1' },
    ...{ files: [{ path: 'weights.npz', size: 1, sha256: 'a'.repeat(64) }], stored: false, reasons: ['last' as const] },
  });
  const view = {
    ...{
      state: 'training',
      detail: 'training.epoch',
      session: { host: 'gpu-1' },
      receipt: null,
      outputFolder: '/store/x',
    },
    ...{ checkpoints: [entry('epoch-0001', 1), entry('epoch-0002', 2)] },
  } as unknown as RunView;
  expect(endedView(view, null)).toMatchObject({ state: 'stopped', detail: 'stopped', session: null, receipt: null });
  const { host: _, stored: __, ...landed } = entry('epoch-0001', 1);
  const receipt = {
    ...{
      outcome: 'salvaged',
      epochs: { trained: 1, planned: 9 },
      metrics: { loss: 1 },
      best: null,
      outputFolder: null,
    },
    ...{ checkpoints: [{ ...landed, files: [{ path: 'checkpoints/epoch-0001/weights.npz', size: 1, sha256: 'a' }] }] },
  } as unknown as Receipt;
  expect(endedView(view, receipt)).toMatchObject({
    receipt,
    position: { epoch: 1, batch: 0 },
    outputFolder: '/store/x',
    checkpoints: [{ name: 'epoch-0001', stored: true, host: 'gpu-1', files: [{ path: 'weights.npz' }] }],
  });
});

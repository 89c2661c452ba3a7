/** What a receipt tells of the sessions of a run: each once, with how it ended, and what nobody saw as unknown. */
import { expect, it } from 'vitest';
import { runConfigSchema } from '../../contracts/run-config.ts';
import type { Session } from '../../contracts/session.ts';
import { firstContext, type RunContext } from '../../workflows/run-context.ts';
import { adoptAttempt, adoptEnd, adoptFailure, adoptSession } from '../../workflows/run-progress.ts';
import { composeReceipt } from '../../workflows/run-receipt.ts';
import { beginStory } from '../../workflows/run-story.ts';

const at = '2026-01-01T00:00:00.000Z';
const config = runConfigSchema.parse({ run: 'r', trainer: 't', epochs: 9 });
const best = { metric: 'loss', mode: 'min' } as const;
const first: RunContext = {
  ...firstContext({ run: 'r', draft: {}, isDraft: false }),
  plan: { config, best, canShrinkBatch: false, outputFolder: '/store/x' },
};
const report = { epochs: [], checkpoints: [], position: { epoch: 0, batch: 0 }, notes: [] };
const materials = { trainer: 'a', environment: null, sdk: 'b', config: null, data: null, from: null };
const session = (id: string, generation: number): Session => ({
  ...{ id, generation, host: `host-${id}`, resumedFrom: null, devices: [], versions: {}, startedAt: at },
});
const opens = (context: RunContext, id: string, generation: number, more: object = {}): RunContext => ({
  ...context,
  ...adoptSession(context, { session: session(id, generation), report, ...more }),
});
const fails = (context: RunContext, kind: 'trainerError' | 'hostLost' | null): RunContext => {
  const failure = kind && { kind, message: 'm' };
  return { ...context, ...adoptFailure(context, { failure, preempted: kind === null, report: null, reached: null }) };
};
const ends = (context: RunContext, finished: boolean): RunContext => ({
  ...context,
  ...adoptEnd(context, {
    ...{ report, exit: { code: 0, signal: null }, processGroupGone: true, gpuMemoryReleased: null },
    ...{ batchesAfterStop: null, acknowledgedAfterMs: null, failure: null, finished },
  }),
});
const receiptOf = (context: RunContext) => composeReceipt(context, beginStory(new Date(at)), new Date(at));
const told = (context: RunContext) => receiptOf(context).sessions?.map(({ id, ended }) => [id, ended?.how ?? null]);

it('each is there with its id, generation and host, when it began, and how it ended', () => {
  const all = ends(
    opens(ends(opens(fails(opens(fails(opens(first, 'a', 1), 'trainerError'), 'b', 2), null), 'c', 3), false), 'd', 5),
    true,
  );
  expect(told(all)).toEqual([
    ['a', 'failed'],
    ['b', 'preempted'],
    ['c', 'stopped'],
    ['d', 'finished'],
  ]);
  expect(receiptOf(all).sessions?.[0]).toEqual({
    ...{ id: 'a', generation: 1, host: 'host-a', startedAt: at, resumedFrom: null },
    ended: { how: 'failed', failure: 'trainerError' },
  });
});

it('one whose end nobody saw has none, also after another one could not be opened; found again it is no other one', () => {
  const lost = fails(opens(first, 'a', 1), 'hostLost');
  expect(told(lost)).toEqual([['a', null]]);
  const failure = { kind: 'setUp', message: 'm' } as const;
  const tried = { ...lost, ...adoptAttempt(lost, { failure, preempted: false, report: null, reached: null }) };
  expect(told(tried)).toEqual([['a', null]]);
  const back = opens(lost, 'a', 1, { attached: true });
  expect(told(back)).toEqual([['a', null]]);
  expect(told(ends(back, true))).toEqual([['a', 'finished']]);
});

it('a run that an older version carried on does not tell, for it does not know them all', () => {
  const { sessions: _, ...older } = first;
  const context = ends(opens(older, 'b', 1), true);
  expect(receiptOf(context).sessions).toBeUndefined();
});

it('what it was made of is what the last session was made of, and what only the first could tell', () => {
  const from = { run: 'other', life: null, checkpoint: 'epoch-0001', sha256: 'c' };
  const begun = opens(first, 'a', 1, { materials: { ...materials, from } });
  const after = opens(begun, 'b', 2, { materials: { ...materials, trainer: 'changed', sdk: null } });
  // What the later one does not know is not what the one before had.
  expect(receiptOf(after).materials).toEqual({ ...materials, trainer: 'changed', sdk: null, from });
  // An older host does not tell, and one that gives back a session has told.
  expect(receiptOf(opens(after, 'b', 2, { attached: true })).materials).toEqual(receiptOf(after).materials);
});

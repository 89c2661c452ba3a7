/** Which checkpoints a run keeps, and that what it remembers stays small, whatever a trainer reports. */
import { describe, expect, it } from 'vitest';
import type { CheckpointManifest, LedgerEntry } from '../../contracts/checkpoint.ts';
import { checkpointPolicySchema, runConfigSchema } from '../../contracts/run-config.ts';
import { adoptCheckpoints, isBetter, withoutHost } from '../../workflows/ledger.ts';
import { firstContext, type RunContext } from '../../workflows/run-context.ts';
import { adoptFailure, adoptReport } from '../../workflows/run-progress.ts';
import { composeReceipt } from '../../workflows/run-receipt.ts';
import { beginStory, tell } from '../../workflows/run-story.ts';
import { viewOf } from '../../workflows/run-view.ts';

const at = '2026-01-01T00:00:00.000Z';
const lowest = { metric: 'loss', mode: 'min' } as const;

const checkpoint = (epoch: number, metrics: Record<string, number> = {}, batch = 0, files = 1): CheckpointManifest => ({
  name: `epoch-${String(epoch).padStart(4, '0')}${batch ? `-batch-${batch}` : ''}`,
  epoch,
  batch,
  metrics,
  files: Array.from({ length: files }, (_, index) => ({ path: `part-${index}`, size: 1, sha256: 'a'.repeat(64) })),
  createdAt: at,
  session: 's',
});

/** Adopts one after the other, as a run does. */
function keep(
  checkpoints: CheckpointManifest[],
  policy: object,
  best: { metric: string; mode: 'min' | 'max' } = lowest,
) {
  let ledger: LedgerEntry[] = [];
  const dropped: string[] = [];
  let isFull = false;
  for (const one of checkpoints) {
    const change = adoptCheckpoints(ledger, [one], 'host', checkpointPolicySchema.parse(policy), best);
    ledger = change.ledger;
    dropped.push(...change.dropped);
    isFull ||= change.isFull;
  }
  return {
    ledger,
    dropped,
    isFull,
    kept: Object.fromEntries(ledger.map(({ epoch, batch, reasons }) => [`${epoch}:${batch}`, reasons])),
  };
}

const falling = (losses: number[]) => losses.map((loss, index) => checkpoint(index + 1, { loss, score: -loss }));

describe('a run keeps', () => {
  it('the best by the lowest value of any metric, the last, and drops the others', () => {
    const { kept, dropped } = keep(falling([5, 2, 3, 4]), {});
    expect(kept).toEqual({ '2:0': ['best'], '4:0': ['last', 'resume'] });
    expect(dropped).toEqual(['epoch-0001', 'epoch-0003']);
  });

  it('the best by the highest value; of equals the earliest', () => {
    const { kept } = keep(falling([5, 2, 2, 4]), {}, { metric: 'score', mode: 'max' });
    expect(kept).toEqual({ '2:0': ['best'], '4:0': ['last', 'resume'] });
    expect(isBetter(lowest, { loss: 2 }, { loss: 2 })).toBe(false);
    expect(isBetter(lowest, { other: 1 }, { loss: 2 })).toBe(false);
    expect(isBetter(lowest, { loss: 3 }, { other: 1 })).toBe(true);
  });

  it('the last N', () => {
    expect(Object.keys(keep(falling([1, 2, 3, 4, 5]), { last: 3 }).kept)).toEqual(['1:0', '3:0', '4:0', '5:0']);
  });

  it('every Nth epoch for good', () => {
    const { kept } = keep(falling([9, 8, 7, 6, 5, 4, 3]), { everyEpochs: 3 });
    expect(kept).toEqual({ '3:0': ['every'], '6:0': ['every'], '7:0': ['best', 'last', 'resume'] });
  });

  it('the newest within an epoch to go on from, until the epoch is complete; it is never the best', () => {
    const within = [checkpoint(1, { loss: 2 }), checkpoint(1, { loss: 2 }, 10), checkpoint(1, { loss: 2 }, 20)];
    expect(keep(within, {}).kept).toEqual({ '1:0': ['best', 'last'], '1:20': ['resume'] });
    expect(keep([...within, checkpoint(2, { loss: 3 })], {}).kept).toEqual({
      '1:0': ['best'],
      '2:0': ['last', 'resume'],
    });
  });

  it('what is in the store when a host is gone', () => {
    const { ledger } = keep(falling([1, 2]), {});
    const [first, second] = ledger as [LedgerEntry, LedgerEntry];
    expect(withoutHost([{ ...first, stored: true }, second], 'host')).toEqual([{ ...first, stored: true }]);
  });

  it('no more than it can remember: what it needs first, then the last, then the oldest of those for good', () => {
    const many = Array.from({ length: 100 }, (_, index) => checkpoint(index + 1, { loss: 1 / (index + 1) }, 0, 150));
    const { ledger, isFull } = keep(many, { everyEpochs: 1, last: 2 });
    expect(isFull).toBe(true);
    expect(JSON.stringify(ledger).length).toBeLessThan(150_000);
    expect(ledger.at(-1)).toMatchObject({ epoch: 100, reasons: ['best', 'last', 'every', 'resume'] });
    expect(ledger.at(-2)).toMatchObject({ epoch: 99 });
    expect(ledger.slice(0, 3).map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(
      keep(
        many.map((one) => ({ ...one, files: one.files.slice(0, 3) })),
        { everyEpochs: 1 },
      ).isFull,
    ).toBe(false);
  });
});

describe('what a run remembers', () => {
  const config = runConfigSchema.parse({
    run: 'r',
    trainer: 't',
    epochs: 10_000,
    checkpoints: { everyEpochs: 100, last: 50 },
    failures: { restarts: 1000 },
  });
  const plan = { config, best: lowest, canShrinkBatch: false, outputFolder: '/store/x' };
  const metrics = Object.fromEntries(
    Array.from({ length: 100 }, (_, index) => [`metric_number_${index}`, Math.PI * index]),
  );

  it('fits into a payload after a thousand epochs with a hundred metrics, and hundreds of failures', () => {
    let context: RunContext = { ...firstContext({ run: 'r', draft: {}, isDraft: false }), plan };
    let story = beginStory(new Date(at));
    for (let epoch = 1; epoch <= 1_000; epoch++) {
      const report = {
        epochs: [{ epoch, batches: 10, seconds: 1, metrics: { ...metrics, loss: 1 / epoch }, at }],
        checkpoints: [checkpoint(epoch, { ...metrics, loss: 1 / epoch }, 0, 5)],
        position: { epoch, batch: 0 },
        notes: [`epoch ${epoch}: ${'long '.repeat(800)}`.slice(0, 4_000)],
      };
      context = { ...context, ...adoptReport(context, report, 'host') };
      story = tell(story, context.notes.at(-1) ?? '', new Date(at));
      if (epoch % 5 > 0) continue;
      const failure = { kind: 'trainerError', message: 'm'.repeat(4_000), traceback: 't'.repeat(16_000) } as const;
      const over = { failure, preempted: false, report: null, reached: null };
      context = { ...context, ...adoptFailure(context, over), dropped: [] };
    }
    const most = 512 * 1024;
    const carried = { chart: { value: {}, context }, story };
    expect(JSON.stringify(carried).length).toBeLessThan(most);
    const receipt = composeReceipt(context, story, new Date(at));
    const whole = { ...receipt, checkpoints: context.ledger };
    expect(JSON.stringify(whole).length).toBeLessThan(most);
    const view = viewOf(context, story, { state: 'stopped', detail: 'stopped' }, new Date(at));
    expect(JSON.stringify(view).length).toBeLessThan(most);
    expect(view.restarts.at(-1)?.failure).toMatchObject({ traceback: expect.any(String) });
    expect(view.restarts.at(-2)?.failure).not.toHaveProperty('traceback');
    expect(view.curve[0]).toMatchObject({ epoch: 1 });
    expect(view.curve.at(-1)).toMatchObject({ epoch: 1_000 });
  });
});

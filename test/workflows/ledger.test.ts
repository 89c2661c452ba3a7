/** Which checkpoints a run keeps, and that what it remembers stays small, whatever a trainer reports. */
import { describe, expect, it } from 'vitest';
import { type CheckpointManifest, isBetter, type LedgerEntry } from '../../contracts/checkpoint.ts';
import { checkpointPolicySchema, runConfigSchema } from '../../contracts/run-config.ts';
import { adoptKeeperFailure, adoptKept, toRemove, toStore } from '../../workflows/keeper-progress.ts';
import { adoptCheckpoints, landedOf, withoutHost } from '../../workflows/ledger.ts';
import { firstContext, type RunContext } from '../../workflows/run-context.ts';
import { adoptFailure, adoptPublished, adoptReport, adoptSession } from '../../workflows/run-progress.ts';
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

/** Adopts one after the other, as a run does whose store keeps up. */
function keep(
  checkpoints: CheckpointManifest[],
  policy: object,
  best: { metric: string; mode: 'min' | 'max' } = lowest,
) {
  let ledger: LedgerEntry[] = [];
  const dropped: string[] = [];
  let isFull = false;
  for (const one of checkpoints) {
    const parsed = checkpointPolicySchema.parse(policy);
    const change = adoptCheckpoints(ledger, [one], 'host', parsed, best);
    const stored = change.ledger.map((entry) => ({ ...entry, stored: true }));
    const after = adoptCheckpoints(stored, [], 'host', parsed, best);
    ledger = after.ledger;
    dropped.push(...change.dropped, ...after.dropped);
    isFull ||= change.isFull || after.isFull;
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
  it('of its permanent checkpoints all that are stored, and the newest 50 that are not, and says so', () => {
    const config = runConfigSchema.parse({ trainer: 'counter', epochs: 300, checkpoints: { everyEpochs: 1 } });
    const plan = { config, best: lowest, canShrinkBatch: false, outputFolder: '/store/x' };
    let context: RunContext = { ...firstContext({ run: 'r', draft: {}, isDraft: false }), plan };
    const told = (from: number, to: number) => {
      for (let epoch = from; epoch <= to; epoch += 1) {
        const checkpoints = [checkpoint(epoch, { loss: 1 / epoch })];
        const epochs = [{ epoch, batches: 1, seconds: 1, metrics: { loss: 1 / epoch }, at }];
        const report = { epochs, checkpoints, position: { epoch, batch: 0 }, notes: [] };
        context = {
          ...context,
          ...adoptReport(context, report, 'host'),
        };
      }
    };
    told(1, 10);
    context = { ...context, ledger: context.ledger.map((entry) => ({ ...entry, stored: true })) };
    told(11, 60);
    expect(context.ledger).toHaveLength(60);
    expect(context.notes).toEqual([]);
    // What is being stored now stays, however old it is. The newest one is wanted for more than being permanent.
    context = { ...context, storing: ['epoch-0011'] };
    told(61, 80);
    const epochs = context.ledger.map(({ epoch }) => epoch);
    expect(epochs).toEqual([
      ...Array.from({ length: 11 }, (_, i) => i + 1),
      ...Array.from({ length: 51 }, (_, i) => i + 30),
    ]);
    expect(context.dropped).toEqual(Array.from({ length: 18 }, (_, i) => `epoch-00${i + 12}`));
    expect(context.notes).toEqual([expect.stringContaining('the newest 50 were retained')]);
  });

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
    expect(withoutHost([first, { ...second, stored: false }], 'host')).toEqual([first]);
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

describe('until the newest checkpoint is stored, a run keeps what it replaces', () => {
  const config = runConfigSchema.parse({ run: 'r', trainer: 't', epochs: 9, checkpoints: { last: 1 } });
  const plan = { config, best: lowest, canShrinkBatch: false, outputFolder: '/store/x' };
  const rising = (epoch: number, batch = 0) => checkpoint(epoch, { loss: epoch }, batch);
  const session = (host: string, resumedFrom: { epoch: number; batch: number } | null = null) => ({
    ...{ id: host, host, resumedFrom, devices: [], versions: {}, startedAt: at },
  });
  /** A run on `host` whose best checkpoint is its first. */
  const begun: RunContext = {
    ...firstContext({ run: 'r', draft: {}, isDraft: false }),
    ...{ plan, session: session('host'), lastSession: session('host'), lastHost: 'host' },
  };
  const trains = (context: RunContext, ...epochs: number[]): RunContext => {
    let now = context;
    for (const epoch of epochs) {
      const report = { epochs: [], checkpoints: [rising(epoch)], position: { epoch, batch: 0 }, notes: [] };
      now = { ...now, ...adoptReport(now, report, 'host') };
    }
    return now;
  };
  /** The keeper begins; what it was asked comes back with the context. */
  const stores = (context: RunContext) => ({
    asked: { store: toStore(context).map(({ name }) => name), remove: toRemove(context) },
    context: { ...context, storing: toStore(context).map(({ name }) => name) },
  });
  const answers = (context: RunContext, stored: number[], removed: number[], damaged: number[] = []): RunContext => {
    const names = (epochs: number[]) => epochs.map((epoch) => checkpoint(epoch).name);
    const kept = { stored: names(stored), removed: names(removed), damaged: names(damaged), bytes: 0 };
    return { ...context, ...adoptKept(context, kept) };
  };
  const keptIn = ({ ledger }: RunContext) => ledger.map(({ epoch, stored, reasons }) => [epoch, stored, ...reasons]);
  /** Three epochs, all stored: the first is the best, the third the last one. */
  const third = answers(stores(trains(answers(stores(trains(begun, 1, 2)).context, [1, 2], []), 3)).context, [3], [2]);

  it('here and in the store; the call that stores the newest removes it', () => {
    expect(keptIn(third)).toEqual([
      [1, true, 'best'],
      [3, true, 'last', 'resume'],
    ]);
    const fourth = trains(third, 4);
    expect(fourth.dropped).toEqual([]);
    expect(keptIn(fourth).slice(1)).toEqual([
      [3, true, 'fallback'],
      [4, false, 'last', 'resume'],
    ]);
    const { asked, context } = stores(fourth);
    expect(asked).toEqual({ store: ['epoch-0004'], remove: ['epoch-0003'] });
    const after = answers(context, [4], [3]);
    expect(keptIn(after).slice(1)).toEqual([[4, true, 'last', 'resume']]);
    expect(after.dropped).toEqual([]);
  });

  it('and goes on from that where the newest is damaged, which is named', () => {
    const after = answers(stores(trains(third, 4)).context, [], [], [4]);
    expect(keptIn(after).slice(1)).toEqual([[3, true, 'last', 'resume']]);
    expect(after.notes.join()).toMatch(/epoch-0004 was damaged on its host/);
    expect(keptIn(trains(after, 5)).slice(1)).toEqual([
      [3, true, 'fallback'],
      [5, false, 'last', 'resume'],
    ]);
  });

  it('one that is on the host alone, where none is stored: not to be stored itself', () => {
    const steep = { ...begun, plan: { ...plan, best: { metric: 'loss', mode: 'max' } as const } };
    const second = trains(steep, 1, 2);
    expect(keptIn(second)).toEqual([
      [1, false, 'fallback'],
      [2, false, 'best', 'last', 'resume'],
    ]);
    expect(stores(second).asked).toEqual({ store: ['epoch-0002'], remove: ['epoch-0001'] });
  });

  it('and what is being stored, however much slower than the training that is', () => {
    let context = third;
    for (let epoch = 4; epoch < 100; epoch += 4) {
      const before = epoch === 4 ? 3 : epoch - 4;
      const { asked, context: storing } = stores(trains(context, epoch));
      expect(asked.store).toEqual([checkpoint(epoch).name]);
      expect(asked.remove).toContain(checkpoint(before).name);
      const later = trains(storing, epoch + 1, epoch + 2, epoch + 3);
      const newest = [epoch + 3, false, 'last', 'resume'];
      expect(keptIn(later).slice(1)).toEqual([[before, true, 'fallback'], [epoch, false, 'fallback'], newest]);
      context = {
        ...later,
        ...adoptKept(later, { stored: asked.store, removed: asked.remove, damaged: [], bytes: 0 }),
      };
      expect(keptIn(context).slice(1)).toEqual([[epoch, true, 'fallback'], newest]);
    }
  });

  it('and what is nearer on this host, where the keeper never answered whether it is still stored', () => {
    const silent = stores(trains(third, 4)).context;
    const after = trains({ ...silent, ...adoptKeeperFailure(silent) }, 5);
    expect(keptIn(after).slice(1)).toEqual([
      [4, false, 'fallback'],
      [5, false, 'last', 'resume'],
    ]);
  });

  it('which another host goes on from when this one is lost, and keeps until its own is stored', () => {
    const report = { epochs: [], checkpoints: [], position: { epoch: 3, batch: 0 }, notes: [] };
    const lost = trains(third, 4);
    const opened = { session: session('other', { epoch: 3, batch: 0 }), report };
    const moved: RunContext = { ...lost, ...adoptSession(lost, opened) };
    expect(moved.ledger.map(({ epoch, host, stored }) => [epoch, host, stored])).toEqual([
      [1, 'host', true],
      [3, 'other', true],
    ]);
    expect(moved.metrics).toEqual({ loss: 3 });
    // Stored by the host that is lost, which could not tell: it came from the store all the same.
    const untold: RunContext = {
      ...lost,
      ...adoptSession(lost, { ...opened, session: session('other', { epoch: 4, batch: 0 }) }),
    };
    expect(untold.ledger.at(-1)).toMatchObject({ epoch: 4, host: 'other', stored: true, reasons: ['last', 'resume'] });
  });

  it('and names what is stored, where publishing fails', () => {
    const publishFailure = { kind: 'store', message: 'the store is away' } as const;
    const receipt = composeReceipt({ ...trains(third, 4), publishFailure }, beginStory(new Date(at)), new Date(at));
    expect(receipt).toMatchObject({ outcome: 'failed', files: [], publishedBytes: 0 });
    expect(receipt.checkpoints.map(({ name, files }) => [name, files[0]?.path])).toEqual([
      ['epoch-0001', 'checkpoints/epoch-0001/part-0'],
      ['epoch-0003', 'checkpoints/epoch-0003/part-0'],
    ]);
    expect(composeReceipt(third, beginStory(new Date(at)), new Date(at)).checkpoints).toEqual([]);
  });

  it('which is the result where the newest is lost: reasons, best and metrics are those of what landed', () => {
    const best = { ...third, ...{ plan: { ...plan, best: { metric: 'loss', mode: 'max' } as const } } };
    const context: RunContext = { ...trains(best, 4), metrics: { loss: 4 }, finished: true };
    const of = (epochs: number[]) =>
      context.ledger
        .filter(({ epoch }) => epochs.includes(epoch))
        .map(({ host: _, stored: __, ...landed }) => ({
          ...landed,
          files: landed.files.map((file) => ({ ...file, path: `checkpoints/${landed.name}/${file.path}` })),
        }));
    const published = { checkpoints: of([3]), files: [], bytes: 1, lost: ['epoch-0004'], damaged: ['epoch-0004'] };
    const after: RunContext = { ...context, ...adoptPublished(context, { ...published, host: 'host' }) };
    expect(composeReceipt(after, beginStory(new Date(at)), new Date(at))).toMatchObject({
      outcome: 'failed',
      cause: { failure: { kind: 'checkpointLost' } },
      epochs: { trained: 3 },
      metrics: { loss: 3 },
      best: { epoch: 3, value: 3 },
      checkpoints: [{ name: 'epoch-0003', reasons: ['best', 'last', 'resume'] }],
      notes: [expect.stringMatching(/epoch-0004 was damaged/)],
    });
    expect(keptIn(after)).toEqual([[3, true, 'best', 'last', 'resume']]);
    expect(landedOf(context.ledger, of([4]), config.checkpoints, plan.best).checkpoints).toMatchObject([
      { name: 'epoch-0004', reasons: ['best', 'last', 'resume'] },
    ]);
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
      const session = {
        ...{ id: `${epoch}`.padStart(36, '0'), generation: epoch, host: 'h'.repeat(50), startedAt: at },
        ...{ resumedFrom: { epoch, batch: 0 }, devices: [], versions: {} },
      };
      const begun = { epochs: [], checkpoints: [], position: { epoch, batch: 0 }, notes: [] };
      context = { ...context, ...adoptSession(context, { session, report: begun }) };
      context = { ...context, ...adoptFailure(context, over), dropped: [] };
    }
    const most = 512 * 1024;
    const carried = { chart: { value: {}, context }, story };
    expect(JSON.stringify(carried).length).toBeLessThan(most);
    const receipt = composeReceipt(context, story, new Date(at));
    // The newest ones, each with its end.
    expect(receipt.sessions).toHaveLength(100);
    expect(receipt.sessions?.at(-1)).toMatchObject({ generation: 1_000, ended: { how: 'failed' } });
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

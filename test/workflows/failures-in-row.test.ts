/** A failure that comes back uses up the restarts, however much is trained again before it does. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { endsTraining } from '../../contracts/failure.ts';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { firstContext, type RunContext } from '../../workflows/run-context.ts';
import { adoptFailure, adoptReport, adoptSession } from '../../workflows/run-progress.ts';

const at = '2026-01-01T00:00:00.000Z';

/** A trainer that fails after complete epochs: `failsAfter` says of how many, one for each time; then it trains to the end. */
interface Trained {
  kind: 'trainerError' | 'nan' | 'outOfMemory';
  restarts: number;
  last: number;
  everyEpochs: number;
  failsAfter: (times: number) => number | null;
}

/** Trains as the chart does, on a host that has what the policy retains. */
function train({ kind, restarts, last, everyEpochs, failsAfter }: Trained) {
  const config = runConfigSchema.parse({
    ...{ run: 'r', trainer: 't', epochs, checkpoints: { last, everyEpochs } },
    failures: { restarts, onNan: 'rollBack' },
  });
  const plan = {
    config,
    best: { metric: 'loss', mode: 'min' } as const,
    canShrinkBatch: true,
    outputFolder: '/store/x',
  };
  let context: RunContext = { ...firstContext({ run: 'r', draft: {}, isDraft: false }), plan };
  const rolledBackTo: (number | null)[] = [];
  for (let times = 0; context.failuresInRow <= restarts; times++) {
    if (times > mostFailures) return { rolledBackTo, end: 'for ever' as const };
    const { notAfter } = context;
    const found = context.ledger.findLast(({ epoch }) => epoch <= (notAfter?.epoch ?? epochs));
    const resumedFrom = found ? { epoch: found.epoch, batch: 0 } : null;
    const session = { ...{ id: `s${times}`, host: 'host', resumedFrom, devices: [], versions: {}, startedAt: at } };
    const nothing = { epochs: [], checkpoints: [], position: resumedFrom ?? { epoch: 0, batch: 0 }, notes: [] };
    context = { ...context, ...adoptSession(context, { session, report: nothing }) };
    const to = failsAfter(times);
    for (let epoch = context.position.epoch + 1; epoch <= (to ?? epochs); epoch++) {
      const report = {
        epochs: [{ epoch, batches: 1, seconds: 1, metrics: { loss: epoch }, at }],
        checkpoints: [
          {
            ...{ name: `epoch-${epoch}`, epoch, batch: 0, metrics: { loss: epoch }, files: [] },
            createdAt: at,
            session: 's',
          },
        ],
        position: { epoch, batch: 0 },
        notes: [],
      };
      context = { ...context, ...adoptReport(context, report, 'host') };
    }
    if (to === null) return { rolledBackTo, end: 'trained' as const };
    const failure = { kind, message: 'again' };
    context = { ...context, ...adoptFailure(context, { failure, preempted: false, report: null, reached: null }) };
    rolledBackTo.push(context.notAfter?.epoch ?? null);
  }
  return { rolledBackTo, end: 'given up' as const };
}

const epochs = 8;
const mostFailures = 200;
const runs = fc.record({
  kind: fc.constantFrom('trainerError', 'nan', 'outOfMemory'),
  restarts: fc.integer({ min: 0, max: 6 }),
  last: fc.integer({ min: 1, max: 5 }),
  everyEpochs: fc.integer({ min: 0, max: 3 }),
});

it('a failure at the same place is tried as often as the restarts say, and then given up', () => {
  fc.assert(
    fc.property(runs, fc.integer({ min: 0, max: epochs - 1 }), (run, epoch) => {
      const { end, rolledBackTo } = train({ ...run, failsAfter: () => epoch });
      expect(end).toBe('given up');
      expect(rolledBackTo).toHaveLength(run.restarts + 1);
    }),
  );
});

it('after NaN, each attempt that got no further goes one epoch further back', () => {
  const run = { kind: 'nan', restarts: 3, last: 5, everyEpochs: 0 } as const;
  expect(train({ ...run, failsAfter: () => 5 }).rolledBackTo).toEqual([5, 4, 3, 2]);
  expect(train({ ...run, failsAfter: () => 1 }).rolledBackTo).toEqual([1, 0, 0, 0]);
});

it('what failed is overcome with the first epoch beyond', () => {
  fc.assert(
    fc.property(runs, (run) => {
      const once = { ...run, restarts: Math.max(1, run.restarts) };
      const { end, rolledBackTo } = train({ ...once, failsAfter: (times) => (times < epochs ? times : null) });
      expect(end).toBe('trained');
      expect(rolledBackTo).toHaveLength(epochs);
    }),
  );
});

it.each(['otherStore', 'noContainer'] as const)('what a host lacks (%s) uses up no restarts', (kind) => {
  let context: RunContext = firstContext({ run: 'r', draft: {}, isDraft: false });
  const config = runConfigSchema.parse({ run: 'r', trainer: 't', epochs });
  const best = { metric: 'loss', mode: 'min' } as const;
  context = { ...context, plan: { config, best, canShrinkBatch: true, outputFolder: '/store/x' } };
  const failure = { kind, message: 'not here' };
  for (let times = 0; times < 20; times++)
    context = { ...context, ...adoptFailure(context, { failure, preempted: false, report: null, reached: null }) };
  expect(context.failuresInRow).toBe(0);
  expect(endsTraining(failure, config.failures)).toBe(false);
});

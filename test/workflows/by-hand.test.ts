/** Temporal's command line lets anyone answer for an activity and send anything to a workflow. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CancelledFailure, type WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { receiptSchema } from '../../contracts/receipt.ts';
import { trainingRunType } from '../../contracts/run-messages.ts';
import { ByHand } from '../support/by-hand.ts';
import { TestHost, TestRun } from '../support/test-host.ts';
import { until } from '../support/until.ts';

let host: TestHost;
beforeAll(async () => {
  host = await TestHost.start({ slots: 2 });
});
afterAll(() => host?.stop());

const long = { epochs: 200, parameters: { batches: 10, batch_seconds: 0.02 } };

/** An activity of this type that a worker has; not the one named `before`. */
const started = (hand: ByHand, type: string, before = '') =>
  until(`${type} is under way`, async () =>
    (await hand.activities()).find((one) => one.type === type && one.isStarted && one.id !== before),
  );

const trainsOn = async (run: TestRun) => {
  const { epoch } = (await run.view()).position;
  return run.until('trains on', ({ position }) => position.epoch > epoch + 1);
};

describe('an activity', () => {
  it('that was failed, completed, paused or reset by hand is asked again, and its trainer trains on', async () => {
    const run = await host.start(host.config(long));
    const hand = new ByHand(host.client, run.id);
    await trainsOn(run);
    for (const harm of ['fail', 'complete', 'reset', 'pause'] as const) {
      await hand[harm]((await started(hand, 'trainEpoch')).id);
      await trainsOn(run);
    }
    await run.update('stop');
    const receipt = await run.result();
    expect(receipt).toMatchObject({ outcome: 'stopped', restarts: [], batches: { wasted: 0, afterStop: 0 } });
  });

  it('that fails whenever it is asked ends the run, whose trainer is stopped first and loses nothing', async () => {
    const run = await host.start(host.config(long));
    const hand = new ByHand(host.client, run.id);
    await trainsOn(run);
    let before = '';
    for (let times = 0; times < 4; times++) {
      const { id } = await started(hand, 'trainEpoch', before);
      await hand.fail(id);
      before = id;
    }
    const error = (await run.result().catch((thrown: unknown) => thrown)) as WorkflowFailedError;
    const receipt = receiptSchema.parse((error.cause as { details?: unknown[] }).details?.[0]);
    expect(receipt).toMatchObject({
      outcome: 'failed',
      cause: { failure: { kind: 'internal', message: 'failed by hand' } },
      batches: { wasted: 0, afterStop: 0 },
      processGroupGone: true,
    });
    const rows = await readFile(join(host.settings.dataFolder, 'runs', run.id, 'metrics.jsonl'), 'utf8');
    expect(rows.trim().split('\n')).toHaveLength(receipt.epochs.trained);
  });
});

describe('a message that makes no sense', () => {
  it('is told and not obeyed, and a cancel is heard after it', async () => {
    const run = new TestRun(
      await host.client.workflow.start(trainingRunType, {
        workflowId: `run-${randomUUID().slice(0, 8)}`,
        taskQueue: host.settings.workflowQueue,
        // The second one is what a run before would carry over.
        args: [{ config: host.config(long) }, { chart: { value: 'made up' } }],
      }),
    );
    const hand = new ByHand(host.client, run.id);
    await trainsOn(run);
    await hand.signal('sessionLost', '{not JSON');
    await hand.signal('sessionLost', 'x', 'binary/unheard-of');
    await hand.signal('sessionLost', '{"session":1}');
    await hand.signal('__temporal_made_up', '{not JSON');
    await hand.signal('made up', '{not JSON');
    await expect(run.update('stop', { mode: 'sideways' })).rejects.toThrow();
    const { events, session } = await trainsOn(run);
    expect(events.filter(({ message }) => message.includes('a signal sessionLost was ignored'))).toHaveLength(3);
    expect(session).not.toBeNull();
    await run.handle.cancel();
    await expect(run.result()).rejects.toMatchObject({ cause: expect.any(CancelledFailure) });
    expect((await run.view()).receipt).toMatchObject({ outcome: 'stopped', restarts: [] });
  });
});

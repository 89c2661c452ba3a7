/** Temporal's command line lets anyone answer for an activity and send anything to a workflow. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CancelledFailure, type WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { receiptSchema } from '../../contracts/receipt.ts';
import { trainingRunType } from '../../contracts/run-messages.ts';
import { Hold } from '../faults/hold.ts';
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

const held = (hold: Hold) => host.config({ ...long, parameters: { ...long.parameters, ...hold.parameters } });

/** The trainer waits in that batch, and the run for its epoch: what is struck then does not end meanwhile by itself. */
async function waits(run: TestRun, hold: Hold, place: string): Promise<void> {
  await hold.reached(place);
  await run.until(`waits for ${place}`, ({ position }) => position.epoch === Number(place.split(':')[0]) - 1);
}

describe('an activity', () => {
  it('that was failed, completed, paused or reset by hand is asked again, and its trainer trains on', async () => {
    const harms = { '2:5': 'fail', '4:5': 'complete', '6:5': 'reset', '8:5': 'pause' } as const;
    const hold = await Hold.at(host.settings.dataFolder, Object.keys(harms));
    const run = await host.start(held(hold));
    const hand = new ByHand(host.client, run.id);
    for (const [place, harm] of Object.entries(harms)) {
      await waits(run, hold, place);
      await hand[harm]((await started(hand, 'trainEpoch')).id);
      await hold.release(place);
    }
    await run.until('trains on', ({ position }) => position.epoch >= 9);
    await run.update('stop');
    const receipt = await run.result();
    expect(receipt).toMatchObject({ outcome: 'stopped', restarts: [], batches: { wasted: 0, afterStop: 0 } });
  });

  it('that fails whenever it is asked ends the run, whose trainer is stopped first and loses nothing', async () => {
    const hold = await Hold.at(host.settings.dataFolder, ['3:5']);
    const run = await host.start(held(hold));
    const hand = new ByHand(host.client, run.id);
    await waits(run, hold, '3:5');
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
    await run.until('trains', ({ position }) => position.epoch >= 2);
    await hand.signal('sessionLost', '{not JSON');
    await hand.signal('sessionLost', 'x', 'binary/unheard-of');
    await hand.signal('sessionLost', '{"session":1}');
    await hand.signal('__temporal_made_up', '{not JSON');
    await hand.signal('made up', '{not JSON');
    await expect(run.update('stop', { mode: 'sideways' })).rejects.toThrow();
    const { events, session } = await run.until('trains', ({ position }) => position.epoch >= 2);
    expect(events.filter(({ message }) => message.includes('a signal sessionLost was ignored'))).toHaveLength(3);
    expect(session).not.toBeNull();
    await run.handle.cancel();
    await expect(run.result()).rejects.toMatchObject({ cause: expect.any(CancelledFailure) });
    expect((await run.view()).receipt).toMatchObject({ outcome: 'stopped', restarts: [] });
  });
});

/** Runs that could not end themselves: terminated or deleted from outside, with and without their host. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Receipt } from '../../contracts/receipt.ts';
import { salvageId } from '../../contracts/salvage-messages.ts';
import { groupMembers } from '../../worker/process-groups.ts';
import { TestHost } from '../support/test-host.ts';
import { until } from '../support/until.ts';

let host: TestHost;
beforeAll(async () => {
  host = await TestHost.start({ slots: 2 });
});
afterAll(() => host?.stop());

const training = { epochs: 1000, parameters: { batches: 20, batch_seconds: 0.01 }, deadlines: { heartbeatSeconds: 2 } };

describe('a run that is terminated', () => {
  it('has its trainer ended and what it trained published, with a receipt that says salvaged', async () => {
    const run = await host.start(host.config(training));
    await run.until('has trained an epoch', ({ position }) => position.epoch >= 1);
    const { pid } = JSON.parse(await readFile(join(host.settings.dataFolder, 'runs', run.id, 'process.json'), 'utf8'));
    await run.handle.terminate('by hand');
    const salvaged = await until('is salvaged', () =>
      host.client.workflow
        .getHandle(salvageId(run.id))
        .result()
        .catch(() => null),
    );
    const receipt = salvaged as Receipt;
    expect(receipt).toMatchObject({
      outcome: 'salvaged',
      cause: { failure: { kind: 'forceStopped' } },
      localFolder: { kind: 'removed' },
    });
    expect(receipt.epochs.trained).toBeGreaterThanOrEqual(1);
    expect(receipt.checkpoints.length).toBeGreaterThan(0);
    expect(await groupMembers(pid)).toEqual([]);
    expect(existsSync(join(host.settings.dataFolder, 'runs', run.id))).toBe(false);
    const stored = JSON.parse(
      await readFile(join(host.settings.store, 'experiments/default', run.id, 'receipt.json'), 'utf8'),
    );
    expect(stored).toEqual(receipt);
    const salvage = await host.client.workflow.getHandle(salvageId(run.id)).describe();
    expect(salvage.searchAttributes).toMatchObject({ EpochalRun: [run.id], EpochalOutcome: ['salvaged'] });
    await until('its slot is free', () => !host.worker.host.slots.taken.includes(run.id));
  });
});

/** Runs that could not end themselves: terminated or deleted from outside, with and without their host. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { observedEventSchema } from '../../contracts/observed-events.ts';
import { hostQueue } from '../../contracts/queues.ts';
import type { Receipt } from '../../contracts/receipt.ts';
import { type SalvageInput, salvageId, salvageType } from '../../contracts/salvage-messages.ts';
import { tellLaterId } from '../../contracts/tell-later.ts';
import type { NotifySettings } from '../../observers/notify-settings.ts';
import { groupMembers } from '../../worker/process-groups.ts';
import { MailServer } from '../support/mail-server.ts';
import { TestHost } from '../support/test-host.ts';
import { until } from '../support/until.ts';

let host: TestHost;
let mails: MailServer;
beforeAll(async () => {
  mails = await MailServer.start();
  vi.stubEnv('TEST_MAIL_SERVER', `smtp://127.0.0.1:${mails.port}`);
  const email = { server: 'env:TEST_MAIL_SERVER', from: 'a@example.org', to: ['b@example.org'] };
  const notify: NotifySettings = { targets: { mail: { email } }, rules: [{ to: ['mail'], on: ['salvaged'] }] };
  host = await TestHost.start({ slots: 2, settings: { notify } });
});
afterAll(async () => {
  await host?.stop();
  await mails?.stop();
  vi.unstubAllEnvs();
});

const training = { epochs: 1000, parameters: { batches: 20, batch_seconds: 0.01 }, deadlines: { heartbeatSeconds: 2 } };

describe('a run that is terminated', () => {
  it('has its trainer ended and what it trained published, with a receipt that says salvaged', async () => {
    const run = await host.start(host.config(training));
    await run.until('has trained an epoch', ({ position }) => position.epoch >= 1);
    const { pid } = JSON.parse(await readFile(join(host.settings.dataFolder, 'runs', run.id, 'process.json'), 'utf8'));
    // Whoever is not told at the first attempt is told later, and the others are not told again.
    let asked = 0;
    mails.decide = (what) => (what === 'message' && ++asked === 1 ? 451 : null);
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
      // The run remembers nothing any more: its host has kept what it trained with.
      materials: { trainer: expect.any(String), sdk: expect.any(String), config: expect.any(String), from: null },
      filesSha256: expect.any(String),
    });
    expect(receipt).not.toHaveProperty('sessions');
    expect(receipt.epochs.trained).toBeGreaterThanOrEqual(1);
    expect(receipt.checkpoints.length).toBeGreaterThan(0);
    expect(await groupMembers(pid)).toEqual([]);
    expect(existsSync(join(host.settings.dataFolder, 'runs', run.id))).toBe(false);
    const stored = JSON.parse(
      await readFile(join(host.settings.store, 'experiments/default', run.id, 'receipt.json'), 'utf8'),
    );
    expect(stored).toEqual(receipt);
    const told = await readFile(join(host.settings.store, 'experiments/default', run.id, 'events.jsonl'), 'utf8');
    const later = host.client.workflow.getHandle(tellLaterId(run.id));
    await later.result();
    expect(mails.mails.map(({ text }) => /^Subject: (.*)$/m.exec(text)?.[1])).toEqual([
      expect.stringContaining(run.id),
    ]);
    expect(told.match(/"kind":"ended"/g)).toHaveLength(1);
    const last = observedEventSchema.parse(JSON.parse(told.trim().split('\n').at(-1) ?? ''));
    expect(last).toMatchObject({ kind: 'ended', run: run.id, data: { outcome: 'salvaged', place: run.id } });
    const salvage = await host.client.workflow.getHandle(salvageId(run.id)).describe();
    expect(salvage.searchAttributes).toMatchObject({ EpochalRun: [run.id], EpochalOutcome: ['salvaged'] });
    await until('its slot is free', () => !host.worker.host.slots.taken.includes(run.id));
  });
});

it('asks again where what is told of a run makes no sense', async () => {
  const nobody = 'host-of-nonsense';
  const answers = [undefined, { checkpoints: 'many' }];
  const nothing = { config: null, chain: null, checkpoints: [], epochs: [], receipt: null, outputFolder: null };
  const connection = await NativeConnection.connect({ address: inject('temporalAddress') });
  const worker = await Worker.create({
    connection,
    taskQueue: hostQueue(nobody),
    activities: { surveyHost: async () => (answers.length > 0 ? answers.shift() : nothing) },
  });
  const input: SalvageInput = {
    run: nobody,
    place: nobody,
    chain: null,
    config: null,
    ledger: [],
    host: nobody,
    pool: nobody,
  };
  const salvage = () =>
    host.client.workflow.execute(salvageType, {
      ...{ workflowId: salvageId(nobody), args: [input] },
      taskQueue: host.settings.workflowQueue,
    });
  await expect(worker.runUntil(salvage)).rejects.toMatchObject({ cause: { type: 'NothingLeft' } });
  expect(answers).toEqual([]);
  await connection.close();
});

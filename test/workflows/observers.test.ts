/** Observers are told of a run by those who stand beside it: at least once, in order, and never at its cost. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type ObservedEvent, observedEventSchema } from '../../contracts/observed-events.ts';
import { runStateSchema } from '../../contracts/receipt.ts';
import { tellLaterId, tellLaterState } from '../../contracts/tell-later.ts';
import type { NotifySettings } from '../../observers/notify-settings.ts';
import { MailServer } from '../support/mail-server.ts';
import { TestHost, type TestRun } from '../support/test-host.ts';
import { until } from '../support/until.ts';
import { key, ok, WebhookReceiver } from '../support/webhook-receiver.ts';

let host: TestHost | undefined;
let receiver: WebhookReceiver | undefined;
afterEach(async () => {
  await host?.stop();
  receiver?.stop();
  vi.unstubAllEnvs();
  host = undefined;
});

const seqs = (events: readonly { seq: number }[]) => events.map(({ seq }) => seq);
const eventsAt = async (outputFolder: string | null): Promise<ObservedEvent[]> => {
  const text = await readFile(join(outputFolder ?? '', 'events.jsonl'), 'utf8');
  const events = text
    .trim()
    .split('\n')
    .map((line) => observedEventSchema.parse(JSON.parse(line)));
  return events.filter((event) => event.kind !== 'other');
};
/** With what its payloads hold. */
const decodedHistory = async (run: TestRun): Promise<string> =>
  JSON.stringify(await run.handle.fetchHistory(), (key, value) =>
    key === 'data' && typeof value === 'string' ? Buffer.from(value, 'base64').toString() : value,
  );
const outputOf = (run: TestRun) => join(host?.settings.store ?? '', 'experiments/default', run.id);

describe('a run', () => {
  it('tells a webhook and a file of all that happened, signed, in order, and again where it was not heard', async () => {
    receiver = await WebhookReceiver.start((request, response) => {
      if (request === 2) response.writeHead(503).end();
      else if (request === 4) response.destroy();
      else ok(response);
    });
    host = await TestHost.start({ settings: receiver.settings() });
    const run = await host.start(host.config({ epochs: 3 }));
    const receipt = await run.result();
    expect(receiver.problems).toEqual([]);
    const { told } = receiver;
    expect(receiver.events.length).toBeGreaterThanOrEqual(told.length + 2);
    expect(seqs(told)).toEqual(told.map((_, index) => index + 1));
    expect(told.flatMap((event) => (event.kind === 'epoch' ? [event.data.epoch] : []))).toEqual([1, 2, 3]);
    expect(told.map(({ kind }) => kind)).toContain('checkpoint');
    expect(told.flatMap((event) => (event.kind === 'state' ? [event.data.state] : []))).toEqual([
      'training',
      'uploading',
      'stopped',
    ]);
    expect(told.at(-1)).toMatchObject({ kind: 'ended', data: { outcome: 'completed', place: run.id } });
    const written = await eventsAt(receipt.outputFolder);
    expect(written).toEqual(told.filter(({ kind }) => kind !== 'epoch' && kind !== 'checkpoint'));
    // Neither what it signs with, nor where it tells.
    const history = JSON.stringify(await run.handle.fetchHistory());
    for (const hidden of ['hidden-token', key.toString('base64'), key.toString()]) {
      for (const form of [hidden, Buffer.from(hidden).toString('base64')]) expect(history).not.toContain(form);
    }
  });

  it('does not wait for one that never answers, while it trains, and at its end no longer than it says', async () => {
    receiver = await WebhookReceiver.start(() => undefined);
    host = await TestHost.start({ settings: receiver.settings() });
    const run = await host.start(host.config({ epochs: 30 }));
    const receipt = await run.result();
    expect(receipt).toMatchObject({ outcome: 'completed', epochs: { trained: 30 } });
    const { events } = await run.view();
    const at = (message: string) => Date.parse(events.find((event) => event.message === message)?.at ?? '');
    const { closeTime } = await run.handle.describe();
    // It was cleaned up before anybody waited for an observer, which takes 30 s, and then nobody waited for long.
    expect(at('stopped') - Date.parse(receipt.endedAt)).toBeLessThan(30_000);
    expect((closeTime?.getTime() ?? 0) - at('stopped')).toBeLessThan(240_000);
    expect((await eventsAt(receipt.outputFolder)).at(-1)).toMatchObject({ kind: 'ended', run: run.id });
    // One delivery while it trained, however often it was tried, and one at the end.
    const history = await run.handle.fetchHistory();
    const told = (history.events ?? []).flatMap(({ activityTaskScheduledEventAttributes: activity }) =>
      activity?.activityType?.name === 'tellObserver'
        ? [JSON.parse(Buffer.from(activity.input?.payloads?.[0]?.data ?? '').toString()).observer]
        : [],
    );
    expect(told.filter((observer) => observer === 'webhook')).toHaveLength(2);
    // The file had one every ten seconds at most, and the last.
    const lasted = (closeTime?.getTime() ?? 0) - Date.parse(receipt.startedAt ?? '');
    expect(told.length - 2).toBeLessThanOrEqual(2 + lasted / 10_000);
    // Once it answers, it hears of all of it, in order, though the run is over.
    const { events: unheard } = receiver;
    const before = unheard.length;
    receiver.answer = (_, response) => ok(response);
    const heard = () => unheard.slice(before);
    await until('the end is told', () => heard().some(({ kind }) => kind === 'ended'));
    const later = host.client.workflow.getHandle(tellLaterId(run.id));
    await later.result();
    // A version before these workflows replays what is open by these states, and would not take over for want of them.
    expect((await later.describe()).searchAttributes.EpochalState).toEqual([tellLaterState]);
    expect(runStateSchema.options).not.toContain(tellLaterState);
    expect(heard().at(-1)).toMatchObject({ kind: 'ended', data: { outcome: 'completed' } });
    expect(seqs(heard())).toEqual([...new Set(seqs(heard()))].sort((a, b) => a - b));
  });

  it('tells an observer, and people, of what they want and of nothing else: also a metric, and a wait', async () => {
    receiver = await WebhookReceiver.start((_, response) => ok(response));
    const mails = await MailServer.start({ password: 'hidden-word' });
    vi.stubEnv('TEST_MAIL_SERVER', `smtp://hidden-user:hidden-word@127.0.0.1:${mails.port}`);
    const email = { server: 'env:TEST_MAIL_SERVER', from: 'a@example.org', to: ['b@example.org'] };
    const rules: NotifySettings['rules'] = [{ to: ['mail'], on: ['completed', 'waiting > 1s', 'metric loss < 1e9'] }];
    const notify = { targets: { mail: { email } }, rules };
    host = await TestHost.start({ settings: { ...receiver.settings(['ended']), notify } });
    const parameters = { batches: 100, batch_seconds: 0.02 };
    const before = await host.start(host.config({ epochs: 1000, parameters }));
    await before.until('has the slot', ({ detail }) => detail === 'training.epoch');
    const run = await host.start(host.config({ epochs: 3 }));
    const titles = () =>
      mails.mails.flatMap(({ text }) => {
        const title = /^Subject: (.*)$/m.exec(text)?.[1]?.trim() ?? '';
        return title.startsWith(run.id) ? title : [];
      });
    await until('the wait is told of', () => titles().includes(`${run.id} has waited for 1s`));
    await before.update('stop', { mode: 'now' });
    await run.result();
    await before.result();
    await mails.stop();
    expect(receiver.events.map(({ kind }) => kind)).toEqual(['ended', 'ended']);
    expect(titles()).toEqual([
      `${run.id} has waited for 1s`,
      expect.stringMatching(/: loss is [0-9.]+ \(< 1000000000\) in epoch 1$/),
      `${run.id} is completed after 3 epochs`,
    ]);
    // Where it is told, and by whom, is in no history.
    expect(await decodedHistory(run)).not.toContain('hidden');
  });

  it('that was a draft, and is cancelled, tells its end', async () => {
    receiver = await WebhookReceiver.start((_, response) => ok(response));
    host = await TestHost.start({ settings: receiver.settings(['ended']) });
    const parameters = { batches: 100, batch_seconds: 0.02 };
    const run = await host.start(host.config({ epochs: 20, parameters }), { draft: true });
    await run.until('is a draft', ({ detail }) => detail === 'configuring.draft');
    await run.update('train');
    await run.until('trains', ({ detail }) => detail === 'training.epoch');
    await run.handle.cancel();
    await run.result().catch(() => undefined);
    expect(receiver.events).toMatchObject([{ kind: 'ended', data: { outcome: 'stopped', cause: { by: 'cancel' } } }]);
    expect((await eventsAt(outputOf(run))).at(-1)).toMatchObject({ kind: 'ended' });
  });
});

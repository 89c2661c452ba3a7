/** The webhook: what it is set up with, how it signs, and what it does with each answer. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ObservedEvent } from '../../contracts/observed-events.ts';
import { signature, Webhook } from '../../observers/webhook.ts';
import { readWebhook } from '../../observers/webhook-settings.ts';
import { observedRun } from '../support/observed-run.ts';

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

describe('its settings', () => {
  it('are none without an address', () => {
    expect(readWebhook({ EPOCHAL_WEBHOOK_SECRET: 'x', EPOCHAL_WEBHOOK_EVENTS: 'y' })).toBeNull();
  });

  it('name what is told of: all but what happens often, unless said', () => {
    const given = { EPOCHAL_WEBHOOK: 'https://example.com/told', EPOCHAL_WEBHOOK_SECRET: secret };
    expect(readWebhook(given)?.kinds).toEqual(['state', 'restart', 'held', 'ended']);
    expect(readWebhook({ ...given, EPOCHAL_WEBHOOK_EVENTS: 'ended, epoch' })?.kinds).toEqual(['epoch', 'ended']);
  });

  it.each([
    [{ EPOCHAL_WEBHOOK_SECRET: '' }, /^EPOCHAL_WEBHOOK_SECRET must be whsec_ and 24 to 64 bytes in base64/],
    [{ EPOCHAL_WEBHOOK_SECRET: undefined }, /^EPOCHAL_WEBHOOK_SECRET is missing: it must be whsec_/],
    [{ EPOCHAL_WEBHOOK_SECRET: 'hidden-and-no-base64' }, /^EPOCHAL_WEBHOOK_SECRET must be/],
    [{ EPOCHAL_WEBHOOK_SECRET: 'whsec_hidden==' }, /^EPOCHAL_WEBHOOK_SECRET must be/],
    [{ EPOCHAL_WEBHOOK: 'hidden' }, /^EPOCHAL_WEBHOOK must be an http or https address/],
    [{ EPOCHAL_WEBHOOK: 'ftp://hidden/' }, /^EPOCHAL_WEBHOOK must be an http or https address/],
    [{ EPOCHAL_WEBHOOK: 'https://user:hidden@example.com/' }, /^EPOCHAL_WEBHOOK must be .* without a user/],
    [{ EPOCHAL_WEBHOOK_EVENTS: 'ended,hidden' }, /^EPOCHAL_WEBHOOK_EVENTS must be kinds of events .*: state, epoch, /],
    [{ EPOCHAL_WEBHOOK: 'hidden', EPOCHAL_WEBHOOK_EVENTS: '' }, /^EPOCHAL_WEBHOOK must be .*; EPOCHAL_WEBHOOK_EVENTS/],
  ])('%j is refused by its name, and not repeated', (variables, told) => {
    const given = { EPOCHAL_WEBHOOK: 'https://example.com/', EPOCHAL_WEBHOOK_SECRET: secret };
    const read = () => readWebhook({ ...given, ...variables });
    expect(read).toThrow(told);
    expect(read).not.toThrow('hidden');
  });
});

it('signs as the package standardwebhooks does', () => {
  const { key = Buffer.alloc(0) } =
    readWebhook({ EPOCHAL_WEBHOOK: 'https://example.com/', EPOCHAL_WEBHOOK_SECRET: secret }) ?? {};
  expect(signature(key, 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', '{"test": 2432232314}')).toBe(
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  );
});

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

const event = (seq: number): ObservedEvent => ({
  kind: 'held',
  id: `execution/${seq}`,
  run: 'r',
  life: 'execution',
  seq,
  at: '2026-01-01T00:00:00.000Z',
  position: { epoch: 0, batch: 0 },
  data: { isHeld: true },
});

/** Tells three events to a service that gives these answers, and answers what became of them. */
async function told(statuses: readonly number[]) {
  const answers = [...statuses];
  server = createServer((request, response) => {
    request.resume();
    response.writeHead(answers.shift() ?? 204, { location: 'http://127.0.0.1:1/elsewhere' }).end('text');
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const webhook = new Webhook({ address: `http://127.0.0.1:${port}/?token=hidden`, key: Buffer.alloc(24), kinds: [] });
  const seqs: number[] = [];
  const refused: number[] = [];
  const delivery = {
    signal: new AbortController().signal,
    onTold: (seq: number) => seqs.push(seq),
    onRefused: ({ seq }: ObservedEvent) => refused.push(seq),
  };
  const run = observedRun('r');
  const error = await webhook.tell([1, 2, 3].map(event), run, delivery).catch((thrown: Error) => thrown.message);
  return { seqs, refused, error, left: answers.length };
}

describe('an answer', () => {
  it.each([200, 204])('%i: the event was told', async (status) => {
    expect(await told([status])).toEqual({ seqs: [1, 2, 3], refused: [], error: undefined, left: 0 });
  });

  it.each([400, 410, 422])('%i: the event is passed over, and that is said', async (status) => {
    expect(await told([204, status, 204])).toMatchObject({ seqs: [1, 2, 3], refused: [2], error: undefined });
  });

  it.each([302, 401, 404, 408, 429, 500, 503])('%i: it is tried again, from there', async (status) => {
    expect(await told([204, status])).toMatchObject({
      seqs: [1],
      refused: [],
      error: `the webhook answers ${status}`,
    });
  });

  it('that cannot be had tells nothing of the address', async () => {
    const webhook = new Webhook({ address: 'http://127.0.0.1:1/?token=hidden', key: Buffer.alloc(24), kinds: [] });
    const delivery = { signal: new AbortController().signal, onTold: () => undefined, onRefused: () => undefined };
    const run = observedRun('r');
    await expect(webhook.tell([event(1)], run, delivery)).rejects.toThrow(/^the webhook cannot be reached(: \w+)?$/);
  });
});

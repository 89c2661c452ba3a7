/** Notifications: who is told of what, in which words, and what each answer of a target means. Against a real SMTP server and HTTP servers. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { ObservedEvent } from '../../contracts/observed-events.ts';
import { Notifier } from '../../observers/notifier.ts';
import { conditionOf, kindsOf, waitsForOf } from '../../observers/notify-rules.ts';
import type { NotifySettings, Target } from '../../observers/notify-settings.ts';
import { MailServer } from '../support/mail-server.ts';
import { observedRun } from '../support/observed-run.ts';

const common = (seq: number) => ({
  ...{ id: `3f0a-execution/${seq}`, run: 'my-run', life: 'execution', seq, at: '2026-01-01T00:00:00.000Z' },
  position: { epoch: 3, batch: 20 },
});
const failure = { kind: 'trainerError' as const, message: 'CUDA <!channel> & *more*\n[link](https://x)' };
const ended = (seq: number, outcome: 'failed' | 'completed' = 'failed'): ObservedEvent => ({
  ...{ kind: 'ended', ...common(seq) },
  data: {
    outcome,
    cause: outcome === 'failed' ? { kind: 'failure', failure } : { kind: 'finished' },
    ...{ place: 'my-run', outputFolder: '/store/my-run', metrics: { val_loss: 0.123456789 } },
  },
});
const held = (seq: number, isHeld: boolean): ObservedEvent => ({ kind: 'held', ...common(seq), data: { isHeld } });

type Rules = NotifySettings['rules'];
const all: Rules = [{ to: ['here'], on: ['completed', 'failed', 'paused'] }];

const servers: (Server | MailServer)[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    if (server instanceof MailServer) await server.stop();
    else {
      server.closeAllConnections();
      server.close();
    }
  }
});

/** A web service that gives these answers, and what it was sent. */
async function receiver(...statuses: number[]): Promise<{ address: string; bodies: Record<string, unknown>[] }> {
  const bodies: Record<string, unknown>[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    bodies.push(JSON.parse(Buffer.concat(chunks).toString()));
    response.writeHead(statuses.shift() ?? 200).end('ok');
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hidden-token`, bodies };
}

async function mailServer(options: Parameters<typeof MailServer.start>[0] = {}): Promise<MailServer> {
  const server = await MailServer.start(options);
  servers.push(server);
  return server;
}

/** Tells a target of these events, and answers what became of them. */
async function told(target: Target, env: NodeJS.ProcessEnv, events: readonly ObservedEvent[], rules = all) {
  const notifier = new Notifier('here', target, { rules, page: 'https://train.example.org/' }, env);
  const [seqs, refused]: [number[], [number, string][]] = [[], []];
  const delivery = {
    signal: new AbortController().signal,
    onTold: (seq: number) => seqs.push(seq),
    onRefused: ({ seq }: ObservedEvent, why: string) => refused.push([seq, why]),
  };
  const run = observedRun('my-run', { project: 'vision', trainer: 'yolo' });
  const error = await notifier.tell(events, run, delivery).catch((thrown: Error) => thrown.message);
  return { seqs, refused, error };
}

describe('a rule', () => {
  const run = async (rule: Partial<Rules[number]>) => {
    const { address, bodies } = await receiver();
    const events = [held(1, true), held(2, false), ended(3), ended(4, 'completed')];
    const { seqs } = await told({ slack: 'env:S' }, { S: address }, events, [
      { to: ['here'], on: ['failed'], ...rule },
    ]);
    // What it is not for counts as told: nobody is to tell it again.
    expect(seqs).toEqual([1, 2, 3, 4]);
    return bodies.map(({ text }) => text);
  };

  it.each([
    [{}, ['my-run has failed after 3 epochs and 20 batches']],
    [{ on: ['completed', 'resumed'] as const }, ['my-run is resumed', 'my-run is completed']],
    [{ projects: ['vision'], trainers: ['yolo'] }, ['my-run has failed']],
    [{ projects: ['other'] }, []],
    [{ trainers: ['other'] }, []],
    [{ to: ['elsewhere'] }, []],
  ])('%j tells what it is for', async (rule, titles) => {
    const texts = await run(rule as Partial<Rules[number]>);
    expect(texts).toEqual(titles.map((title) => expect.stringContaining(title)));
  });

  it('waits for what is no event otherwise', async () => {
    const rules: Rules = [
      { to: ['here'], on: ['waiting > 90m', 'waiting > 2d', 'metric val_loss <= -1.5e-3', 'failed'] },
    ];
    const metric = { metric: 'val_loss', is: '<=' as const, bound: -0.0015 };
    expect(kindsOf(rules)).toEqual(['waiting', 'metric', 'ended']);
    expect(waitsForOf(rules)).toEqual({ metrics: [metric], queued: [5400, 172_800] });
    const { address, bodies } = await receiver();
    const waiting = (seq: number, seconds: number): ObservedEvent => ({
      kind: 'waiting',
      ...common(seq),
      data: { seconds },
    });
    const reached = (seq: number, bound: number): ObservedEvent => {
      return { kind: 'metric', ...common(seq), data: { ...metric, bound, value: -0.123456, epoch: 4 } };
    };
    const events = [waiting(1, 5400), waiting(2, 60), reached(3, -0.0015), reached(4, -2)];
    expect(await told({ slack: 'env:S' }, { S: address }, events, rules)).toMatchObject({ seqs: [1, 2, 3, 4] });
    expect(bodies.map(({ text }) => text)).toEqual([
      'my-run has waited for 90m',
      'my-run: val_loss is -0.12346 (&lt;= -0.0015) in epoch 4',
    ]);
  });

  it.each([
    'waiting > 0s',
    'waiting > 31d',
    'waiting > h',
    'waiting < 1h',
    'metric loss',
    'metric loss = 1',
    'metric loss < 1.2.3',
    'exploded',
  ])('has no condition %j', (text) => expect(conditionOf(text)).toBeNull());

  it('asks a run for no events but those that it can be for', () => {
    expect(kindsOf([{ to: [], on: ['failed', 'lost'] }])).toEqual(['ended']);
    expect(kindsOf([{ to: [], on: ['restarted', 'paused', 'started'] }])).toEqual(['restart', 'held', 'state']);
  });
});

describe('Slack and Teams', () => {
  it('get what a trainer wrote as text: it calls nobody, and links nowhere', async () => {
    const [slack, teams] = [await receiver(), await receiver()];
    await told({ slack: 'env:S' }, { S: slack.address }, [ended(1)]);
    await told({ teams: 'env:T' }, { T: teams.address }, [ended(1)]);
    const why = 'trainerError: CUDA <!channel> & *more* [link](https://x)';
    expect(slack.bodies).toMatchObject([
      {
        text: 'my-run has failed after 3 epochs and 20 batches',
        blocks: [
          { text: { type: 'plain_text' } },
          {
            text: {
              type: 'plain_text',
              text: `${why}\nval_loss 0.12346\nResults: /store/my-run\nProject vision, trainer yolo`,
            },
          },
          { text: { text: '<https://train.example.org/runs/my-run|Open the run>' } },
        ],
      },
    ]);
    const { attachments } = teams.bodies[0] as { attachments: { content: object }[] };
    expect(attachments[0]?.content).toMatchObject({
      type: 'AdaptiveCard',
      body: expect.arrayContaining([{ type: 'RichTextBlock', inlines: [{ type: 'TextRun', text: why }] }]),
      actions: [{ url: 'https://train.example.org/runs/my-run' }],
    });
  });

  it('get whole characters, wherever what a trainer wrote is cut', async () => {
    const { address, bodies } = await receiver(200);
    const text = `${'a'.repeat(484)}\u{1f600} and on`;
    for (const message of [text, 'half \ud83d of one']) {
      const data = { reason: 'failure' as const, failure: { kind: 'trainerError' as const, message } };
      await told(
        { slack: 'env:S' },
        { S: address },
        [{ kind: 'restart', ...common(1), data }],
        [{ to: ['here'], on: ['restarted'] }],
      );
    }
    const lines = bodies.map(({ blocks }) => (blocks as { text: { text: string } }[])[1]?.text.text.split('\n')[0]);
    expect(lines).toEqual([`trainerError: ${'a'.repeat(484)}\ufffd…`, 'trainerError: half \ufffd of one']);
  });

  it.each([
    [503, { seqs: [1], refused: [], error: 'Slack answers 503' }],
    [403, { seqs: [1], refused: [], error: 'Slack answers 403' }],
    [400, { seqs: [1, 2, 3], refused: [[2, 'Slack answers 400']], error: undefined }],
  ])('after an answer of %i', async (status, expected) => {
    const { address } = await receiver(200, status);
    expect(await told({ slack: 'env:S' }, { S: address }, [ended(1), ended(2), ended(3)])).toEqual(expected);
  });

  it('that cannot be reached, or whose secret has gone, are tried again, and the address is in no error', async () => {
    const target = { slack: 'env:S' };
    expect((await told(target, { S: 'http://127.0.0.1:1/hidden' }, [ended(1)])).error).toMatch(
      /^Slack cannot be reached(: \w+)?$/,
    );
    expect((await told(target, {}, [ended(1)])).error).toBe('env:S is not set');
  });
});

describe('e-mail', () => {
  const email = { server: 'env:M', from: 'epochal@example.org', to: ['a@example.org', 'b@example.org'] };
  const at = ({ port }: MailServer, user = '') => ({ M: `smtp://${user}127.0.0.1:${port}` });

  it('is one for each event, with the same id whenever it is sent, and the headers of one', async () => {
    const server = await mailServer();
    for (const _ of [1, 2])
      expect(await told({ email }, at(server), [ended(7)])).toMatchObject({ seqs: [7], refused: [] });
    expect(server.mails).toHaveLength(2);
    for (const { to, text } of server.mails) {
      expect(to).toEqual(email.to);
      const [head = '', ...body] = text.split('\r\n\r\n');
      expect(head).toMatch(/^Message-ID: <3f0a-execution\.7@epochal>$/im);
      expect(head).toMatch(/^Subject: my-run has failed after 3 epochs and 20 batches$/m);
      expect(head).toMatch(/^Auto-Submitted: auto-generated$/im);
      expect(body[0]).toContain('trainerError: CUDA <!channel>');
      expect(body[1]).toContain('https://train.example.org/runs/my-run');
    }
  });

  it('signs in with what its address has, and a wrong password is tried again: it can be mended', async () => {
    const server = await mailServer({ password: 'hidden' });
    expect(await told({ email }, at(server, 'me:hidden@'), [ended(1)])).toMatchObject({ seqs: [1], error: undefined });
    const wrong = await told({ email }, at(server, 'me:wrong@'), [ended(2)]);
    expect(wrong).toEqual({ seqs: [], refused: [], error: 'the mail server answers 535' });
  });

  it.each([
    ['a message for now', () => 451, { seqs: [], error: 'the mail server answers 451' }],
    ['a message', () => 554, { seqs: [1], refused: [[1, 'the mail server answers 554']] }],
    [
      'one recipient',
      (_: string, detail: string) => (detail.startsWith('a@') ? 550 : null),
      { seqs: [1], refused: [[1, 'the mail server does not take 1 of 2 recipients']] },
    ],
    [
      'all recipients',
      (what: string) => (what === 'recipient' ? 550 : null),
      { seqs: [1], refused: [[1, 'the mail server answers 550']] },
    ],
  ])('of a server that refuses %s', async (_, decide, expected) => {
    const server = await mailServer();
    server.decide = decide;
    expect(await told({ email }, at(server), [ended(1)])).toMatchObject(expected);
  });

  it('names no server that is replaced by what is none', async () => {
    const notifier = new Notifier('here', { email }, { rules: all }, { M: 'smtp:/me:hidden@' });
    const delivery = { signal: new AbortController().signal, onTold: () => undefined, onRefused: () => undefined };
    const run = observedRun('my-run');
    const error = await notifier.tell([ended(1)], run, delivery).catch((thrown: unknown) => thrown);
    expect(inspect(error)).toMatch(/what is at env:M is no address of a mail server/);
    expect(inspect(error)).not.toContain('hidden');
  });

  it('to a server that is not there is tried again', async () => {
    const result = await told({ email }, { M: 'smtp://127.0.0.1:1' }, [ended(1)]);
    expect(result).toEqual({ seqs: [], refused: [], error: 'the mail server cannot be reached: ESOCKET' });
  });
});

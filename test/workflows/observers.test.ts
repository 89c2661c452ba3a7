/** Observers are told of a run by those who stand beside it: at least once, in order, and never at its cost. */
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type ObservedEvent, observedEventSchema, observedKinds } from '../../contracts/observed-events.ts';
import { TestHost } from '../support/test-host.ts';

const secret = `whsec_${Buffer.from('a key of twenty-four byte').toString('base64')}`;

/** A web service that checks who tells it what, and does with each request as it is told to. */
class Receiver {
  readonly events: ObservedEvent[] = [];
  readonly problems: string[] = [];
  readonly #server: Server;

  private constructor(answer: (request: number, response: ServerResponse) => void) {
    let requests = 0;
    this.#server = createServer((request, response) => {
      void this.#read(request).then(() => answer(++requests, response));
    });
  }

  static async start(answer: (request: number, response: ServerResponse) => void): Promise<Receiver> {
    const receiver = new Receiver(answer);
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get settings() {
    const { port } = this.#server.address() as AddressInfo;
    return { webhook: { address: `http://127.0.0.1:${port}/told`, secret, kinds: observedKinds } };
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #read(request: IncomingMessage): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = request.headers;
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
    const expected = `v1,${createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64')}`;
    if (signature !== expected) this.problems.push(`signed ${signature}`);
    const event = observedEventSchema.parse(JSON.parse(body).data);
    if (event.kind === 'other') this.problems.push('of an unknown kind');
    else if (event.id !== id) this.problems.push(`${event.id} is called ${id}`);
    else this.events.push(event);
  }
}

const ok = (response: ServerResponse) => response.writeHead(204).end();

let host: TestHost | undefined;
let receiver: Receiver | undefined;
afterEach(async () => {
  await host?.stop();
  receiver?.stop();
  host = undefined;
});

const seqs = (events: readonly { seq: number }[]) => events.map(({ seq }) => seq);

describe('a run', () => {
  it('tells a webhook and a file of all that happened, signed, in order, and again where it was not heard', async () => {
    receiver = await Receiver.start((request, response) => {
      if (request === 2) response.writeHead(503).end();
      else if (request === 4) response.destroy();
      else ok(response);
    });
    host = await TestHost.start({ settings: receiver.settings });
    const run = await host.start(host.config({ epochs: 3 }));
    const receipt = await run.result();
    expect(receiver.problems).toEqual([]);
    const ids = new Map(receiver.events.map((event) => [event.id, event]));
    const told = [...ids.values()];
    expect(receiver.events.length).toBe(told.length + 2);
    expect(seqs(told)).toEqual(told.map((_, index) => index + 1));
    expect(told.flatMap((event) => (event.kind === 'epoch' ? [event.data.epoch] : []))).toEqual([1, 2, 3]);
    expect(told.map(({ kind }) => kind)).toContain('checkpoint');
    expect(told.flatMap((event) => (event.kind === 'state' ? [event.data.state] : []))).toEqual([
      'training',
      'uploading',
      'stopped',
    ]);
    expect(told.at(-1)).toMatchObject({ kind: 'ended', data: { outcome: 'completed', place: run.id } });
    const text = await readFile(join(receipt.outputFolder ?? '', 'events.jsonl'), 'utf8');
    const written = text
      .trim()
      .split('\n')
      .map((line) => observedEventSchema.parse(JSON.parse(line)));
    expect(written).toEqual(told.filter(({ kind }) => kind !== 'epoch' && kind !== 'checkpoint'));
  });

  it('does not wait for one that never answers, while it trains, and at its end no longer than it says', async () => {
    receiver = await Receiver.start(() => undefined);
    host = await TestHost.start({ settings: receiver.settings });
    const run = await host.start(host.config({ epochs: 3 }));
    const receipt = await run.result();
    expect(receipt).toMatchObject({ outcome: 'completed', epochs: { trained: 3 } });
    const { events } = await run.view();
    const at = (message: string) => Date.parse(events.find((event) => event.message === message)?.at ?? '');
    const ended = Date.parse(receipt.endedAt);
    expect(ended - at('training')).toBeGreaterThan(0);
    // It was cleaned up before anybody waited for an observer.
    expect(at('stopped') - ended).toBeLessThan(10_000);
  });
});

/** A web service that is told by the webhook. It checks who tells it what. */
import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type ObservedEvent,
  type ObservedKind,
  observedEventSchema,
  observedKinds,
} from '../../contracts/observed-events.ts';

export const key = Buffer.from('a key of twenty-four bytes');

/** `request` counts from 1. */
type Answer = (request: number, response: ServerResponse) => unknown;

export class WebhookReceiver {
  readonly events: ObservedEvent[] = [];
  readonly problems: string[] = [];
  answer: Answer;
  readonly #server: Server;

  private constructor(answer: Answer) {
    this.answer = answer;
    let requests = 0;
    this.#server = createServer((request, response) => {
      void this.#read(request).then(() => this.answer(++requests, response));
    });
  }

  static async start(answer: Answer): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver(answer);
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  settings(kinds: readonly ObservedKind[] = observedKinds) {
    const { port } = this.#server.address() as AddressInfo;
    return { webhook: { address: `http://127.0.0.1:${port}/told?token=hidden-token`, key, kinds } };
  }

  /** Each once. */
  get told(): ObservedEvent[] {
    return [...new Map(this.events.map((event) => [event.id, event])).values()];
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
    const expected = `v1,${createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64')}`;
    if (signature !== expected) this.problems.push(`signed ${signature}`);
    const event = observedEventSchema.parse(JSON.parse(body).data);
    if (event.kind === 'other') this.problems.push('of an unknown kind');
    else if (event.id !== id) this.problems.push(`${event.id} is called ${id}`);
    else this.events.push(event);
  }
}

export const ok = (response: ServerResponse) => response.writeHead(204).end();

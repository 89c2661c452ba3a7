/**
 * A web service that is told by POST, one event a request, signed as https://www.standardwebhooks.com says: it can tell that a request is
 * ours, and by `webhook-id` which one it has had before.
 */
import { createHmac } from 'node:crypto';
import type { ObservedEvent, ObservedKind } from '../contracts/observed-events.ts';
import type { Delivery, ObservedRun, Observer } from './observer.ts';

const answerTimeout = 10_000;

export interface WebhookSettings {
  address: string;
  /** `whsec_` and the key in base64, or any text. */
  secret: string;
  kinds: readonly ObservedKind[];
}

export class Webhook implements Observer {
  readonly name = 'webhook';
  readonly #settings: WebhookSettings;

  constructor(settings: WebhookSettings) {
    this.#settings = settings;
  }

  async tell(events: readonly ObservedEvent[], _run: ObservedRun, { signal, onTold }: Delivery): Promise<void> {
    for (const event of events) {
      if (this.#settings.kinds.includes(event.kind)) await this.#post(event, signal);
      onTold(event.seq);
    }
  }

  async #post(event: ObservedEvent, signal: AbortSignal): Promise<void> {
    const { address, secret } = this.#settings;
    const body = JSON.stringify({ type: `run.${event.kind}`, timestamp: event.at, data: event });
    const timestamp = String(Math.floor(Date.now() / 1000));
    const ended = new AbortController();
    const timer = setTimeout(() => ended.abort(), answerTimeout);
    const end = () => ended.abort();
    signal.addEventListener('abort', end, { once: true });
    try {
      signal.throwIfAborted();
      const answer = await fetch(address, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'webhook-id': event.id,
          'webhook-timestamp': timestamp,
          'webhook-signature': signature(secret, event.id, timestamp, body),
        },
        body,
        redirect: 'error',
        signal: ended.signal,
      });
      await answer.body?.cancel();
      // What it refuses it would refuse again; only it knows better than to be told of what follows.
      if (answer.status >= 500 || answer.status === 408 || answer.status === 429) {
        throw new Error(`the webhook answers ${answer.status}`);
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  }
}

/** Exported for whoever receives: the same in any language is a few lines. */
export function signature(secret: string, id: string, timestamp: string, body: string): string {
  const prefix = 'whsec_';
  const key = secret.startsWith(prefix) ? Buffer.from(secret.slice(prefix.length), 'base64') : Buffer.from(secret);
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
}

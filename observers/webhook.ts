/**
 * A web service that is told by POST, one event per request, signed as https://www.standardwebhooks.com says: it can tell that a request is
 * ours, and by `webhook-id` which one it has had before.
 */
import { createHmac } from 'node:crypto';
import type { ObservedEvent } from '../contracts/observed-events.ts';
import type { Delivery, ObservedRun, Observer } from './observer.ts';
import { post, refusalOf } from './post.ts';
import { tellEach } from './tell-each.ts';
import type { WebhookSettings } from './webhook-settings.ts';

export class Webhook implements Observer {
  readonly name = 'webhook';
  readonly kinds: readonly string[];
  readonly #settings: WebhookSettings;

  constructor(settings: WebhookSettings) {
    this.kinds = settings.kinds;
    this.#settings = settings;
  }

  async tell(events: readonly ObservedEvent[], _run: ObservedRun, delivery: Delivery): Promise<void> {
    await tellEach(events, delivery, (event) => sendEvent(this.#settings, event, delivery.signal));
  }
}

/** Null where it was taken; a sentence where it never will be. Throws what is to be tried again. */
export async function sendEvent(
  { address, key }: Pick<WebhookSettings, 'address' | 'key'>,
  event: ObservedEvent,
  signal: AbortSignal,
): Promise<string | null> {
  const body = JSON.stringify({ type: `run.${event.kind}`, timestamp: event.at, data: event });
  const timestamp = String(Math.floor(Date.now() / 1000));
  const headers = {
    'webhook-id': event.id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signature(key, event.id, timestamp, body),
  };
  return refusalOf('the webhook', await post('the webhook', address, body, headers, signal));
}

export function signature(key: Buffer, id: string, timestamp: string, body: string): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
}

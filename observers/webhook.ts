/**
 * A web service that is told by POST, one event per request, signed as https://www.standardwebhooks.com says: it can tell that a request is
 * ours, and by `webhook-id` which one it has had before.
 */
import { createHmac } from 'node:crypto';
import type { ObservedEvent } from '../contracts/observed-events.ts';
import type { Delivery, ObservedRun, Observer } from './observer.ts';
import type { WebhookSettings } from './webhook-settings.ts';

const answerTimeout = 10_000;
/** For one delivery: one that is given up as too long would begin anew. */
const longest = 60_000;

export class Webhook implements Observer {
  readonly name = 'webhook';
  readonly kinds: readonly string[];
  readonly #settings: WebhookSettings;

  constructor(settings: WebhookSettings) {
    this.kinds = settings.kinds;
    this.#settings = settings;
  }

  async tell(events: readonly ObservedEvent[], _run: ObservedRun, delivery: Delivery): Promise<void> {
    const began = Date.now();
    for (const event of events) {
      if (Date.now() - began > longest) return;
      const status = await this.#post(event, delivery.signal);
      if (isRefused(status)) delivery.onRefused(event, `the webhook answers ${status}`);
      else if (status < 200 || status > 299) throw new Error(`the webhook answers ${status}`);
      delivery.onTold(event.seq);
    }
  }

  async #post(event: ObservedEvent, signal: AbortSignal): Promise<number> {
    const { address, key } = this.#settings;
    const body = JSON.stringify({ type: `run.${event.kind}`, timestamp: event.at, data: event });
    const timestamp = String(Math.floor(Date.now() / 1000));
    const ended = new AbortController();
    const end = () => ended.abort();
    const timer = setTimeout(end, answerTimeout);
    signal.addEventListener('abort', end, { once: true });
    try {
      signal.throwIfAborted();
      const answer = await fetch(address, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'webhook-id': event.id,
          'webhook-timestamp': timestamp,
          'webhook-signature': signature(key, event.id, timestamp, body),
        },
        body,
        redirect: 'manual',
        signal: ended.signal,
      });
      await answer.body?.cancel();
      return answer.status;
    } catch (error) {
      // What happened, and not where: an address may hold a secret, and this is kept in the run's history.
      if (signal.aborted) throw error;
      throw new Error(
        ended.signal.aborted ? `the webhook has not answered within ${answerTimeout / 1000} s` : unsent(error),
      );
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  }
}

/** What of a request it does not take, it would not take another time; what follows, it may. The others speak of the address or the secret, which can be mended. */
const isRefused = (status: number) => [400, 409, 410, 413, 415, 422].includes(status);

function unsent(error: unknown): string {
  const cause = error instanceof Error ? error.cause : null;
  const code = typeof cause === 'object' && cause !== null ? Reflect.get(cause, 'code') : null;
  return `the webhook cannot be reached${typeof code === 'string' ? `: ${code}` : ''}`;
}

export function signature(key: Buffer, id: string, timestamp: string, body: string): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
}

/** Where and of what the webhook tells, from the worker's environment. What is refused is not repeated: an address may hold a secret, too. */
import { type ObservedKind, observedKinds } from '../contracts/observed-events.ts';

export interface WebhookSettings {
  /** http or https, without a user and a password. */
  address: string;
  key: Buffer;
  kinds: readonly ObservedKind[];
}

export interface WebhookVariables {
  EPOCHAL_WEBHOOK?: string | undefined;
  EPOCHAL_WEBHOOK_SECRET?: string | undefined;
  EPOCHAL_WEBHOOK_EVENTS?: string | undefined;
}

/** Epochs and checkpoints are many. A gap is told of where it counts what would have been told of. */
const usualKinds: readonly ObservedKind[] = ['state', 'restart', 'held', 'ended'];

/** Null where there is none. Throws an Error with one sentence per bad variable. */
export function readWebhook(variables: WebhookVariables): WebhookSettings | null {
  const { EPOCHAL_WEBHOOK: address, EPOCHAL_WEBHOOK_SECRET: secret, EPOCHAL_WEBHOOK_EVENTS: events } = variables;
  if (address === undefined) return null;
  const key = secret === undefined ? null : keyOf(secret);
  const kinds = events === undefined ? usualKinds : kindsOf(events);
  const problems = [
    isAddress(address) ? null : 'EPOCHAL_WEBHOOK must be an http or https address without a user and a password in it',
    key
      ? null
      : `EPOCHAL_WEBHOOK_SECRET ${secret === undefined ? 'is missing: it ' : ''}must be whsec_ and 24 to 64 bytes in base64; "whsec_$(openssl rand -base64 32)" makes one`,
    kinds
      ? null
      : `EPOCHAL_WEBHOOK_EVENTS must be kinds of events with commas between them: ${observedKinds.join(', ')}`,
  ].filter((problem) => problem !== null);
  if (!key || !kinds || problems.length > 0) throw new Error(problems.join('; '));
  return { address, key, kinds };
}

/** http or https, without a user and a password. */
export function isAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  // A user and a password would be in the message of each request that fails.
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '';
}

/** As https://www.standardwebhooks.com has it. */
export function keyOf(secret: string): Buffer | null {
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  const key = Buffer.from(base64 ?? '', 'base64');
  return key.length >= 24 && key.length <= 64 ? key : null;
}

function kindsOf(text: string): ObservedKind[] | null {
  const words = text.split(',').map((word) => word.trim());
  const kinds = observedKinds.filter((kind) => words.includes(kind));
  return words.every((word) => kinds.some((kind) => kind === word)) ? kinds : null;
}

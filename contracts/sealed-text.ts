/**
 * Text that only who asked for it can read: an answer travels through the Temporal server, and stays in its database for a while. Who asks sends
 * a public key that was made for this question alone; whoever answers encrypts with a key that both can agree on and nobody else. ECDH on P-256,
 * HKDF with SHA-256, AES-GCM with 256 bits, all of WebCrypto, so that this needs no library.
 */
import { z } from 'zod';
import { extensible } from './tolerance.ts';

const base64Text = z
  .string()
  .regex(/^[A-Za-z0-9+/]+={0,2}$/)
  .max(64 * 1024);
export const publicKeySchema = base64Text;

export const sealedTextSchema = extensible({
  /** Public, of who has sealed it, for this text alone. */
  key: publicKeySchema,
  nonce: base64Text,
  text: base64Text,
});
export type SealedText = z.infer<typeof sealedTextSchema>;

export interface AnswerKey {
  /** For the question. */
  publicKey: string;
  /** `about` as it was sealed with. Throws where it was sealed for somebody else, about something else, or changed on its way. */
  open(sealed: SealedText, about: string): Promise<string>;
}

const curve = { name: 'ECDH', namedCurve: 'P-256' } as const;

export async function newAnswerKey(): Promise<AnswerKey> {
  const pair = await crypto.subtle.generateKey(curve, false, ['deriveBits']);
  return {
    publicKey: base64(await crypto.subtle.exportKey('raw', pair.publicKey)),
    open: async ({ key, nonce, text }, about) => {
      const shared = await sharedKey(pair.privateKey, key, about);
      const opened = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: bytesOf(nonce) }, shared, bytesOf(text));
      return new TextDecoder().decode(opened);
    },
  };
}

/** `about`: what it answers, so that it passes for the answer to nothing else. */
export async function sealText(text: string, publicKey: string, about: string): Promise<SealedText> {
  const pair = await crypto.subtle.generateKey(curve, false, ['deriveBits']);
  const nonce = crypto.getRandomValues(new Uint8Array(12));
  const shared = await sharedKey(pair.privateKey, publicKey, about);
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: nonce }, shared, new TextEncoder().encode(text));
  return {
    key: base64(await crypto.subtle.exportKey('raw', pair.publicKey)),
    nonce: base64(nonce),
    text: base64(sealed),
  };
}

type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

async function sharedKey(ours: Key, theirs: string, about: string): Promise<Key> {
  const key = await crypto.subtle.importKey('raw', bytesOf(theirs), curve, false, []);
  const bits = await crypto.subtle.deriveBits({ name: 'ECDH', public: key }, ours, 256);
  const secret = await crypto.subtle.importKey('raw', bits, 'HKDF', false, ['deriveKey']);
  const info = new TextEncoder().encode(`epochal sealed text: ${about}`);
  const how = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(32), info };
  return crypto.subtle.deriveKey(how, secret, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
}

const base64 = (bytes: ArrayBuffer | Uint8Array): string => btoa(String.fromCharCode(...new Uint8Array(bytes)));
const bytesOf = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

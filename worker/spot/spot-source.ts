/** Whom a worker asks whether its machine is about to be taken away: a cloud's metadata service, or an address of one's own. */
import type { z } from 'zod';
import { deadline } from '../deadline.ts';

export interface SpotNotice {
  /** A sentence's beginning, for the log. */
  why: string;
  /** How long the machine is still there; null where nobody says. */
  seconds: number | null;
}

export interface SpotSource {
  readonly name: string;
  /** From one answer to the next question, in milliseconds. */
  readonly pauseMs: number;
  /** Null: no notice. Throws where there is no answer that says which; that is asked again. May take a while: some answer only after a change. */
  look(signal: AbortSignal): Promise<SpotNotice | null>;
}

export interface Question {
  method?: 'GET' | 'PUT';
  headers?: Record<string, string>;
  seconds: number;
  signal: AbortSignal;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

/** A metadata service says little; what says more is none. */
const mostCharacters = 256 * 1024;

/** Throws where nobody answers in time. */
export async function ask(
  address: string,
  { method = 'GET', headers = {}, seconds, signal }: Question,
): Promise<Answer> {
  const { host } = new URL(address);
  const response = await fetch(address, {
    ...{ method, headers, redirect: 'error' },
    signal: deadline(seconds * 1000, signal, `${host} did not answer`),
  });
  let text = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (text.length > mostCharacters) throw new Error(`${host} answered more than a notice`);
  }
  return { status: response.status, headers: response.headers, text };
}

/** What it answered instead of what was expected. */
export const unexpected = (source: string, { status }: Answer) => new Error(`${source} answered ${status}`);

/** Null where the text is not of this form. */
export function parsed<Schema extends z.ZodType>(schema: Schema, text: string): z.infer<Schema> | null {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** From now to a date as text, by this machine's clock; null where it is none. */
export function secondsUntil(date: string): number | null {
  const at = Date.parse(date);
  return Number.isNaN(at) ? null : Math.max(0, (at - Date.now()) / 1000);
}

/** The published API, as a program on another machine calls it: with the address and the token of the moment. */
import type { z } from 'zod';
import type { runDetailsSchema } from '../../contracts/http-answers.ts';
import { until } from '../support/until.ts';

export type Details = z.infer<typeof runDetailsSchema>;

export class Api {
  constructor(private readonly find: () => Promise<{ address: string; token: string }>) {}

  async call<T>(path: string, body?: object): Promise<T> {
    const { address, token } = await this.find();
    const response = await fetch(`${address}${path}`, {
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  async start(config: object): Promise<string> {
    return (await this.call<{ run: string }>('/api/runs', { config })).run;
  }

  /** Waits for it, through times in which nobody answers. */
  async run(run: string, what: string, condition: (details: Details) => boolean, seconds = 300): Promise<Details> {
    let last = '';
    const told = () => `last: ${last}`;
    return until(
      `${run} ${what}`,
      async () => {
        const details = await this.call<Details>(`/api/runs/${run}`).catch((error: unknown) => {
          last = String(error);
          return null;
        });
        if (details === null) return null;
        last = JSON.stringify({ summary: details.summary, progress: details.progress, trouble: details.trouble });
        return condition(details) && details;
      },
      seconds,
      told,
    );
  }
}

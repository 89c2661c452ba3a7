/** EC2 announces the end of a spot instance two minutes before, at an address that says 404 until then (IMDSv2). */
import { z } from 'zod';
import { type Answer, ask, parsed, type SpotNotice, type SpotSource, secondsUntil, unexpected } from './spot-source.ts';

const tokenSeconds = 6 * 3600;
const actionSchema = z.object({ action: z.string(), time: z.string() });

export class Ec2Spot implements SpotSource {
  readonly name = 'ec2';
  /** As often as AWS advises. */
  readonly pauseMs = 5_000;
  #token: { text: string; renewAt: number } | null = null;

  constructor(private readonly base = 'http://169.254.169.254') {}

  async look(signal: AbortSignal): Promise<SpotNotice | null> {
    let answer = await this.#ask(signal);
    // A token belongs to one instance, and an image of its memory (hibernation) may wake on another.
    if (answer.status === 401) {
      this.#token = null;
      answer = await this.#ask(signal);
    }
    if (answer.status === 404) return null;
    if (answer.status !== 200) throw unexpected('the metadata service of EC2', answer);
    // That there is an answer is the notice, whatever it says.
    const said = parsed(actionSchema, answer.text);
    return { why: `EC2 will ${said?.action ?? 'take'} this instance`, seconds: said && secondsUntil(said.time) };
  }

  async #ask(signal: AbortSignal): Promise<Answer> {
    const headers = { 'X-aws-ec2-metadata-token': await this.#currentToken(signal) };
    return ask(`${this.base}/latest/meta-data/spot/instance-action`, { headers, seconds: 5, signal });
  }

  async #currentToken(signal: AbortSignal): Promise<string> {
    if (this.#token && performance.now() < this.#token.renewAt) return this.#token.text;
    const answer = await ask(`${this.base}/latest/api/token`, {
      method: 'PUT',
      headers: { 'X-aws-ec2-metadata-token-ttl-seconds': String(tokenSeconds) },
      ...{ seconds: 5, signal },
    });
    if (answer.status !== 200) throw unexpected('the metadata service of EC2, asked for a token,', answer);
    this.#token = { text: answer.text, renewAt: performance.now() + (tokenSeconds * 1000) / 2 };
    return answer.text;
  }
}

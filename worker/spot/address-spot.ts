/** An address of one's own: 200 is a notice, 204 and 404 are none. The body may be the number of seconds that are left. */
import { ask, type SpotNotice, type SpotSource, unexpected } from './spot-source.ts';

export class AddressSpot implements SpotSource {
  readonly name = 'address';
  readonly pauseMs = 5_000;

  constructor(private readonly address: string) {}

  async look(signal: AbortSignal): Promise<SpotNotice | null> {
    const answer = await ask(this.address, { seconds: 5, signal });
    if (answer.status === 204 || answer.status === 404) return null;
    // The address itself may hold a secret.
    if (answer.status !== 200) throw unexpected(new URL(this.address).host, answer);
    const text = answer.text.trim();
    return {
      why: `${new URL(this.address).host} says that this machine ends`,
      seconds: /^\d{1,6}(\.\d+)?$/.test(text) ? Number(text) : null,
    };
  }
}

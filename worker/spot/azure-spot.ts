/** Azure's Scheduled Events: a list for all VMs of a set, in which the eviction of a spot VM is at least 30 seconds before. */
import { z } from 'zod';
import { ask, parsed, type SpotNotice, type SpotSource, secondsUntil, unexpected } from './spot-source.ts';

/** What a training does not survive; `Freeze` is a pause of some seconds, which it does. */
const ending: readonly string[] = ['Preempt', 'Terminate', 'Redeploy', 'Reboot'];

const eventsSchema = z.object({
  Events: z.array(
    z.object({
      EventType: z.string(),
      Resources: z.array(z.string()).default([]),
      /** Empty once it has begun. */
      NotBefore: z.string().default(''),
    }),
  ),
});

/** The first question of a VM switches the service on, which takes Azure up to two minutes. */
const firstAnswerSeconds = 150;

export class AzureSpot implements SpotSource {
  readonly name = 'azure';
  readonly pauseMs = 2_000;
  #own: string | null = null;

  constructor(private readonly base = 'http://169.254.169.254') {}

  async look(signal: AbortSignal): Promise<SpotNotice | null> {
    this.#own ??= await this.#get('instance/compute/name?api-version=2021-02-01&format=text', 5, signal);
    const own = this.#own.trim().toLowerCase();
    const text = await this.#get('scheduledevents?api-version=2020-07-01', firstAnswerSeconds, signal);
    const said = parsed(eventsSchema, text);
    if (said === null) throw new Error('the metadata service of Azure answered with no list of events');
    const event = said.Events.find(
      ({ EventType, Resources }) =>
        ending.includes(EventType) && Resources.some((resource) => resource.toLowerCase() === own),
    );
    return event ? { why: `Azure announces ${event.EventType}`, seconds: secondsUntil(event.NotBefore) } : null;
  }

  async #get(path: string, seconds: number, signal: AbortSignal): Promise<string> {
    const answer = await ask(`${this.base}/metadata/${path}`, { headers: { Metadata: 'true' }, seconds, signal });
    if (answer.status !== 200) throw unexpected('the metadata service of Azure', answer);
    return answer.text;
  }
}

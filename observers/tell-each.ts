/** Tells of one event after the other, by whatever way there is. */
import type { ObservedEvent } from '../contracts/observed-events.ts';
import type { Delivery } from './observer.ts';

/** For one delivery, in milliseconds: one that is given up as too long would begin anew. */
const longest = 60_000;

/** `send` answers null for what was taken, or is not for whom it tells; a sentence for what never will be taken; and throws what is to be tried again. */
export async function tellEach(
  events: readonly ObservedEvent[],
  { onTold, onRefused }: Delivery,
  send: (event: ObservedEvent) => Promise<string | null>,
): Promise<void> {
  const began = Date.now();
  for (const event of events) {
    if (Date.now() - began > longest) return;
    const refused = await send(event);
    if (refused !== null) onRefused(event, refused);
    onTold(event.seq);
  }
}

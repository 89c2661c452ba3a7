/** The story of a run as a file of its results: `events.jsonl`, one event per line. */
import { z } from 'zod';
import { eventsFile, type ObservedEvent } from '../contracts/observed-events.ts';
import { readText } from '../stores/artifact-store.ts';
import type { Delivery, ObservedRun, Observer } from './observer.ts';

export class EventsFile implements Observer {
  readonly name = 'events-file';
  /** Epochs are in metrics.jsonl and checkpoints in the receipt: the file of a long run stays small. */
  readonly kinds: readonly string[] = ['state', 'restart', 'held', 'ended'];

  async tell(events: readonly ObservedEvent[], run: ObservedRun, delivery: Delivery): Promise<void> {
    const { store, folder } = await run.output();
    const path = `${folder}/${eventsFile}`;
    const before = (await readText(store, path)) ?? '';
    const last = lastSeq(before);
    const news = events.filter(({ seq }) => seq > last);
    delivery.signal.throwIfAborted();
    const whole = before === '' || before.endsWith('\n') ? before : `${before}\n`;
    if (news.length > 0) await store.write(path, whole + news.map((event) => `${JSON.stringify(event)}\n`).join(''));
    for (const { seq } of events.slice(-1)) delivery.onTold(seq);
  }
}

const lineSchema = z.object({ seq: z.int() });

/** Of the last line that can be read: a file that people may have touched keeps no run from telling. */
function lastSeq(text: string): number {
  for (const line of text.split('\n').reverse()) {
    try {
      const { data } = lineSchema.safeParse(JSON.parse(line));
      if (data) return data.seq;
    } catch {
      // No JSON.
    }
  }
  return 0;
}

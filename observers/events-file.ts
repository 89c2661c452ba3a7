/** The story of a run as a file of its results: `events.jsonl`, one event a line. */
import { z } from 'zod';
import { eventsFile, type ObservedEvent } from '../contracts/observed-events.ts';
import { readText } from '../stores/artifact-store.ts';
import type { Delivery, ObservedRun, Observer } from './observer.ts';

export class EventsFile implements Observer {
  readonly name = 'events-file';

  async tell(events: readonly ObservedEvent[], { store, output }: ObservedRun, delivery: Delivery): Promise<void> {
    const path = `${output}/${eventsFile}`;
    const before = (await readText(store, path)) ?? '';
    const last = lastSeq(before);
    // Epochs are in metrics.jsonl and checkpoints in the receipt: the file of a long run stays small.
    const news = events.filter(({ kind, seq }) => seq > last && kind !== 'epoch' && kind !== 'checkpoint');
    delivery.signal.throwIfAborted();
    if (news.length > 0) await store.write(path, before + news.map((event) => `${JSON.stringify(event)}\n`).join(''));
    for (const { seq } of events.slice(-1)) delivery.onTold(seq);
  }
}

const seqSchema = z.object({ seq: z.int() });

function lastSeq(lines: string): number {
  const line = lines.trimEnd().split('\n').at(-1);
  return line ? seqSchema.parse(JSON.parse(line)).seq : 0;
}

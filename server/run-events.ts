/** What happened in a run: what it remembers itself, which has an end, and what `events.jsonl` among its results has beside that. */
import type { FilesPlace, RunFiles } from '../client/run-files.ts';
import { eventsFile, type ObservedEvent, observedEventSchema } from '../contracts/observed-events.ts';
import { largestPart } from '../contracts/run-files.ts';
import type { RunEvent } from '../contracts/run-messages.ts';

/** Of a file that is larger, the end is read: some thousands of events. */
const mostBytes = 2 * largestPart;

/** Null where there is no such file. */
export async function eventsInFile(files: RunFiles, place: FilesPlace): Promise<RunEvent[] | null> {
  const size = await files.size(place, eventsFile);
  if (size === null) return null;
  const start = Math.max(0, size - mostBytes);
  const chunks: Uint8Array[] = [];
  for await (const bytes of files.bytes(place, eventsFile, start, size)) chunks.push(bytes);
  const lines = Buffer.concat(chunks).toString('utf8').split('\n');
  return lines.slice(start > 0 ? 1 : 0).flatMap((line) => eventOf(line) ?? []);
}

/** `remembered` has all that happened between its first and its last event, in more words. */
export function withFile(remembered: readonly RunEvent[], inFile: readonly RunEvent[]): RunEvent[] {
  const [first, last] = [remembered.at(0), remembered.at(-1)];
  if (!first || !last) return [...inFile];
  return [...inFile.filter(({ at }) => at < first.at), ...remembered, ...inFile.filter(({ at }) => at > last.at)];
}

/** A line that people or later versions wrote is passed over. */
function eventOf(line: string): RunEvent | null {
  if (!line.startsWith('{')) return null;
  try {
    const event = observedEventSchema.safeParse(JSON.parse(line)).data;
    return event && event.kind !== 'other' ? { at: event.at, message: messageOf(event) } : null;
  } catch {
    return null;
  }
}

function messageOf(event: ObservedEvent): string {
  switch (event.kind) {
    case 'state':
      return event.data.state;
    case 'epoch':
      return `epoch ${event.data.epoch}`;
    case 'checkpoint':
      return `stored ${event.data.name}`;
    case 'held':
      return event.data.isHeld ? 'pause' : 'resume';
    case 'restart': {
      const { reason, failure } = event.data;
      if (reason === 'preemption') return 'preempted: the host hands the run over';
      return failure ? `${failure.kind}: ${failure.message}` : 'restarted';
    }
    case 'ended': {
      const { outcome, cause } = event.data;
      return cause.kind === 'failure' ? `${outcome}: ${cause.failure.message}` : outcome;
    }
    case 'metric': {
      const { metric, value, is, bound } = event.data;
      return `${metric} is ${value} (${is} ${bound})`;
    }
    case 'waiting':
      return `has waited for ${event.data.seconds} s`;
    case 'gap': {
      const counts = Object.entries(event.data.events).map(([kind, count]) => `${kind} ${count}`);
      return `events that were not kept, by kind: ${counts.join(', ')}`;
    }
  }
}

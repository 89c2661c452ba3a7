/** Events that an observer has still to be told of, and how they come about. Pure, clock given. */
import type { Owner } from '../contracts/life.ts';
import type { ObservedEvent, ObservedKind } from '../contracts/observed-events.ts';
import type { Receipt } from '../contracts/receipt.ts';
import type { RunContext } from './run-context.ts';
import { causeOf, outcomeOf } from './run-receipt.ts';
import type { ChartPosition } from './run-view.ts';

/** Where an observer that is away is to find what it missed: so many events are kept for it. */
const mostKept = 100;
/** Are folded first: what they say is in `metrics.jsonl` and in the receipt, too. */
const foldable: ReadonlySet<ObservedKind> = new Set(['epoch', 'checkpoint', 'gap']);

export interface Outbox {
  /** Events of the life so far. */
  last: number;
  /** In order; not yet told to all observers. */
  events: ObservedEvent[];
  /** Of each observer, by its name: the last event that it was told. */
  told: Record<string, number>;
}

export const emptyOutbox = (observers: readonly string[]): Outbox => ({
  last: 0,
  events: [],
  told: Object.fromEntries(observers.map((observer) => [observer, 0])),
});

/** Of one transition: what is worth telling. */
export interface Change {
  run: string;
  /** The execution that the life began with. */
  life: string;
  place: string;
  before: RunContext;
  after: RunContext;
  from: ChartPosition | null;
  to: ChartPosition;
  now: Date;
}

type Told = {
  [Kind in ObservedKind]: { kind: Kind; data: Extract<ObservedEvent, { kind: Kind }>['data'] };
}[ObservedKind];

function changesOf({ before, after, from, to, place }: Change): Told[] {
  const told: Told[] = [];
  const restart = after.restarts.at(-1);
  if (restart && restart !== before.restarts.at(-1)) {
    told.push({ kind: 'restart', data: { reason: restart.reason, failure: restart.failure } });
  }
  const epochs = after.curve.points.filter(
    ({ epoch }) => epoch > before.position.epoch && epoch <= after.position.epoch,
  );
  // The curve of a long run has not every epoch.
  const missing = Math.max(0, after.position.epoch - before.position.epoch) - epochs.length;
  if (missing > 0) told.push({ kind: 'gap', data: { events: { epoch: missing } } });
  for (const { epoch, seconds, metrics } of epochs) told.push({ kind: 'epoch', data: { epoch, seconds, metrics } });
  const storedBefore = new Set(before.ledger.flatMap(({ name, stored }) => (stored ? [name] : [])));
  for (const { name, stored } of after.ledger) {
    if (stored && !storedBefore.has(name)) told.push({ kind: 'checkpoint', data: { name } });
  }
  if (after.pauseWanted !== before.pauseWanted && after.stop === null) {
    told.push({ kind: 'held', data: { isHeld: after.pauseWanted } });
  }
  if (to.state !== from?.state) told.push({ kind: 'state', data: to });
  if (to.state === 'stopped' && from?.state !== 'stopped' && after.plan) {
    const { receipt, plan, metrics } = after;
    told.push({
      kind: 'ended',
      data: {
        outcome: receipt?.outcome ?? outcomeOf(after),
        cause: receipt?.cause ?? causeOf(after),
        place,
        outputFolder: plan.outputFolder,
        metrics,
      },
    });
  }
  return told;
}

/** The outbox with what a transition has to tell. */
export function noted(outbox: Outbox, change: Change): Outbox {
  if (Object.keys(outbox.told).length === 0) return outbox;
  const { run, life, after, now } = change;
  const news = changesOf(change).map((told, index): ObservedEvent => {
    const seq = outbox.last + index + 1;
    return { ...told, id: `${life}/${seq}`, run, life, seq, at: now.toISOString(), position: after.position };
  });
  if (news.length === 0) return outbox;
  return bounded({ ...outbox, last: outbox.last + news.length, events: [...outbox.events, ...news] });
}

/** The end of a run that could not tell it. It comes after all that the run has told: by its time in seconds, which no count of events reaches. */
export function salvageEnd(receipt: Receipt, { place, chain }: Owner, now: Date): ObservedEvent {
  const { run, outcome, cause, outputFolder, metrics, epochs } = receipt;
  const life = chain[0] ?? run;
  const seq = Math.floor(now.getTime() / 1000);
  return {
    kind: 'ended',
    id: `${life}/${seq}`,
    run,
    life,
    seq,
    at: now.toISOString(),
    position: { epoch: epochs.trained, batch: 0 },
    data: { outcome, cause, place, outputFolder, metrics },
  };
}

/** What an observer has not been told yet, oldest first. */
export const untold = ({ events, told }: Outbox, observer: string): ObservedEvent[] =>
  events.filter(({ seq }) => seq > (told[observer] ?? 0));

/** An observer was told of everything through `seq`. */
export function heard(outbox: Outbox, observer: string, seq: number): Outbox {
  const told = { ...outbox.told, [observer]: Math.max(seq, outbox.told[observer] ?? 0) };
  const byAll = Math.min(...Object.values(told));
  return { ...outbox, told, events: outbox.events.filter((event) => event.seq > byAll) };
}

/** The oldest epochs and checkpoints make way for one gap that counts them. Others stay for as long as that is enough. */
function bounded(outbox: Outbox): Outbox {
  const { events } = outbox;
  if (events.length <= mostKept) return outbox;
  const half = Math.floor(mostKept / 2);
  const oldest = events.slice(0, -half);
  const dispensable = oldest.filter(({ kind }) => foldable.has(kind));
  // Where there are that many of the others, the oldest are counted, too.
  const folded = dispensable.length > 1 ? dispensable : oldest.filter(({ kind }) => kind !== 'ended');
  const last = folded.at(-1);
  if (!last) return outbox;
  const counts: Record<string, number> = {};
  for (const event of folded) {
    const parts = event.kind === 'gap' ? event.data.events : { [event.kind]: 1 };
    for (const [kind, count] of Object.entries(parts)) counts[kind] = (counts[kind] ?? 0) + count;
  }
  const { id, run, life, seq, at, position } = last;
  const gap: ObservedEvent = { kind: 'gap', id, run, life, seq, at, position, data: { events: counts } };
  const isFolded = new Set(folded);
  return {
    ...outbox,
    events: events.flatMap((event) => (event === last ? [gap] : isFolded.has(event) ? [] : [event])),
  };
}

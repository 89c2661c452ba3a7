/** Events that an observer has still to be told of, and how they come about. Pure, clock given. */
import type { Asked } from '../contracts/asked.ts';
import type { Metrics } from '../contracts/checkpoint.ts';
import type { Failure } from '../contracts/failure.ts';
import type { Owner } from '../contracts/life.ts';
import {
  isWanted,
  type MetricCondition,
  type ObservedBy,
  type ObservedEvent,
  type ObservedKind,
} from '../contracts/observed-events.ts';
import type { Receipt } from '../contracts/receipt.ts';
import type { TellLaterInput } from '../contracts/tell-later.ts';
import type { RunContext } from './run-context.ts';
import { causeOf, outcomeOf } from './run-receipt.ts';
import type { ChartPosition } from './run-view.ts';

/** Events that are kept beside those of deliveries, and of one delivery. */
const mostKept = 100;
/** As JSON: of all that is carried from one workflow run to the next. */
const mostCharacters = 96_000;
/** Of one delivery: while it is under way, as much room is left for what happens meanwhile. */
const longestDelivery = mostCharacters / 2;
const longestMessage = 1_000;
const metricsCharacters = 16_000;
/** Are folded first: what they say is in `metrics.jsonl` and in the receipt, too. */
const foldable: ReadonlySet<ObservedKind> = new Set(['epoch', 'checkpoint', 'gap']);

interface Reader {
  kinds: readonly string[];
  /** The last event that it was told. */
  told: number;
  /** The last event of the deliveries that were begun: through here it may have been told. Absent in what older versions carried on. */
  begun?: number;
}

export interface Outbox {
  /** Events of the life so far. */
  last: number;
  /** Conditions on metrics that were met in this life, each as JSON. Absent where there are none. */
  met?: string[];
  /** In order; each is one that somebody has still to be told of. */
  events: ObservedEvent[];
  /** Observers, by name. */
  readers: Record<string, Reader>;
}

export const emptyOutbox = (observers: readonly ObservedBy[]): Outbox => ({
  last: 0,
  events: [],
  readers: Object.fromEntries(observers.map(({ name, kinds }) => [name, { kinds, told: 0 }])),
});

/** Of one transition: what is worth telling. */
export interface Change {
  run: string;
  /** The executions of the life so far. */
  chain: readonly string[];
  place: string;
  before: RunContext;
  after: RunContext;
  from: ChartPosition | null;
  to: ChartPosition;
  /** What it follows from. */
  asked?: Asked | undefined;
  now: Date;
  /** Nothing has changed for so many seconds: it waits in the queue of its pool. */
  queuedSeconds?: number;
}

type Told = {
  [Kind in ObservedKind]: { kind: Kind; data: Extract<ObservedEvent, { kind: Kind }>['data'] };
}[ObservedKind];

function changesOf(change: Change): Told[] {
  const { before, after, from, to, place } = change;
  const told: Told[] = [];
  const restart = after.restarts.at(-1);
  // One that is taken back, for its session was found again, leaves the one before it as the last.
  const isTakenBack = after.restarts.length < before.restarts.length;
  if (restart && !isTakenBack && restart !== before.restarts.at(-1)) {
    told.push({
      kind: 'restart',
      data: { reason: restart.reason, failure: restart.failure && short(restart.failure) },
    });
  }
  told.push(...epochsOf(change));
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
        metrics: first(metrics),
      },
    });
  }
  return told;
}

function epochsOf(change: Change): Told[] {
  const { before, after } = change;
  const epochs = newEpochs(change);
  const told = epochs.map(({ epoch, at, seconds, metrics }): Told => {
    return { kind: 'epoch', data: { epoch, seconds, metrics: first(metrics), at } };
  });
  // The curve of a long run has not every epoch. A session that begins further on has them from another run, or from before.
  const isSameSession = after.session?.id === before.session?.id || after.session === null;
  const missing = isSameSession ? after.position.epoch - before.position.epoch - epochs.length : 0;
  return missing > 0 ? [{ kind: 'gap', data: { events: { epoch: missing } } }, ...told] : told;
}

/** Once in a life: a run that is rolled back, and gets there again, has told it. */
function conditionsMet({ met = [] }: Outbox, change: Change): { met: string[]; told: Told[] } {
  const { plan } = change.after;
  const conditions = (plan?.observers ?? []).flatMap(({ waitsFor }) => waitsFor?.metrics ?? []);
  if (conditions.length === 0) return { met, told: [] };
  const told: Told[] = [];
  const known = new Set(met);
  for (const { epoch, metrics } of newEpochs(change)) {
    for (const { metric, is, bound } of conditions) {
      const value = metrics[metric];
      const key = JSON.stringify([metric, is, bound]);
      if (value === undefined || known.has(key) || !holds(value, is, bound)) continue;
      known.add(key);
      told.push({ kind: 'metric', data: { metric, is, bound, value, epoch } });
    }
  }
  return { met: [...known], told };
}

function holds(value: number, is: MetricCondition['is'], bound: number): boolean {
  if (is === '<') return value < bound;
  if (is === '<=') return value <= bound;
  return is === '>' ? value > bound : value >= bound;
}

const newEpochs = ({ before, after }: Change) =>
  after.curve.points.filter(({ epoch }) => epoch > before.position.epoch && epoch <= after.position.epoch);

const short = ({ kind, message }: Failure): Failure => ({ kind, message: message.slice(0, longestMessage) });

/** A trainer may report any number of them. */
function first(metrics: Metrics): Metrics {
  let room = metricsCharacters;
  return Object.fromEntries(
    Object.entries(metrics).filter(([name]) => {
      room -= name.length + 24;
      return room >= 0;
    }),
  );
}

/** The outbox with what a transition has to tell. */
export function noted(outbox: Outbox, change: Change): Outbox {
  const readers = Object.values(outbox.readers);
  if (readers.length === 0) return outbox;
  const { run, chain, after, asked, now } = change;
  const at = now.toISOString();
  const common = { run, life: chain[0] ?? '', at, position: after.position, ...(asked ? { asked } : {}) };
  const { queuedSeconds } = change;
  const { met, told: metrics } = conditionsMet(outbox, change);
  const waiting: Told[] = queuedSeconds ? [{ kind: 'waiting', data: { seconds: queuedSeconds } }] : [];
  const news = [...changesOf(change), ...metrics, ...waiting].map((told, index): ObservedEvent => {
    const seq = outbox.last + index + 1;
    return { ...told, ...common, id: `${chain.at(-1) ?? ''}/${seq}`, seq };
  });
  if (news.length === 0) return outbox;
  const wanted = news.filter((event) => readers.some(({ kinds }) => isWanted(event, kinds)));
  return bounded({
    ...outbox,
    ...(met.length > 0 ? { met } : {}),
    last: outbox.last + news.length,
    events: [...outbox.events, ...wanted],
  });
}

/** The end of a run that could not tell it. It comes after all that the run has told: by its time in seconds, which no count of events reaches. */
export function salvageEnd(receipt: Receipt, { place, chain }: Owner, now: Date): ObservedEvent {
  const { run, outcome, cause, outputFolder, metrics, epochs } = receipt;
  const seq = Math.floor(now.getTime() / 1000);
  return {
    kind: 'ended',
    id: `${chain.at(-1) ?? run}/${seq}`,
    run,
    life: chain[0] ?? run,
    seq,
    at: now.toISOString(),
    position: { epoch: epochs.trained, batch: 0 },
    data: { outcome, cause, place, outputFolder, metrics: first(metrics) },
  };
}

/** What an observer has not been told yet, oldest first. */
export function untold({ events, readers }: Outbox, observer: string): ObservedEvent[] {
  const reader = readers[observer];
  return reader ? events.filter((event) => isUntold(event, reader)) : [];
}

/** What somebody has still to be told of, each once, and who. */
export type Left = Pick<TellLaterInput, 'events' | 'untold'>;

export function leftIn(outbox: Outbox | null, observers: readonly string[]): Left {
  if (!outbox) return { events: [], untold: [] };
  const seqsOf = (observer: string) => untold(outbox, observer).map(({ seq }) => seq);
  const all = observers.map((observer) => ({ observer, seqs: seqsOf(observer) })).filter(({ seqs }) => seqs.length > 0);
  const wanted = new Set(all.flatMap(({ seqs }) => seqs));
  return { events: outbox.events.filter(({ seq }) => wanted.has(seq)), untold: all };
}

const isUntold = (event: ObservedEvent, { kinds, told }: Reader) => event.seq > told && isWanted(event, kinds);

/** What an observer is told next: the oldest events that it has not been told, as many as one delivery has. */
export function nextFor(outbox: Outbox, observer: string): ObservedEvent[] {
  let characters = 0;
  return untold(outbox, observer).filter((event, index) => {
    characters += JSON.stringify(event).length;
    return index === 0 || (index < mostKept && characters <= longestDelivery);
  });
}

/**
 * A delivery of what is next for an observer begins, through `seq`. Who was told what is known once it is answered, which it may never be: until
 * then none of it is folded, since a gap would count what the observer was told.
 */
export function begun(outbox: Outbox, observer: string, seq: number): Outbox {
  const reader = outbox.readers[observer];
  if (!reader) return outbox;
  const after = { ...reader, begun: Math.max(seq, reader.begun ?? 0) };
  return { ...outbox, readers: { ...outbox.readers, [observer]: after } };
}

/** An observer was told of everything through `seq`. */
export function heard(outbox: Outbox, observer: string, seq: number): Outbox {
  const reader = outbox.readers[observer];
  if (!reader) return outbox;
  const readers = { ...outbox.readers, [observer]: { ...reader, told: Math.max(seq, reader.told) } };
  const all = Object.values(readers);
  return { ...outbox, readers, events: outbox.events.filter((event) => all.some((one) => isUntold(event, one))) };
}

const isTooMuch = (events: readonly ObservedEvent[], characters: number) =>
  events.length > mostKept || JSON.stringify(events).length > characters;

/** Where it is too much, the oldest make way: half of them, and more where these are large. */
function bounded(outbox: Outbox): Outbox {
  const readers = Object.values(outbox.readers);
  const isBegun = (event: ObservedEvent) =>
    readers.some((reader) => event.seq <= (reader.begun ?? 0) && isUntold(event, reader));
  const underWay = outbox.events.filter(isBegun);
  const room = Math.max(longestDelivery, mostCharacters - JSON.stringify(underWay).length);
  let rest = outbox.events.filter((event) => !isBegun(event));
  if (!isTooMuch(rest, room)) return outbox;
  for (let kept = Math.floor(mostKept / 2); isTooMuch(rest, room) && kept > 0; kept = Math.floor(kept / 2)) {
    rest = folded(rest, kept, readers);
  }
  return { ...outbox, events: [...underWay, ...rest].sort((a, b) => a.seq - b.seq) };
}

/** Epochs and checkpoints before the newest `kept` events become gaps that count them. Others stay for as long as that is enough. */
function folded(events: readonly ObservedEvent[], kept: number, readers: readonly Reader[]): ObservedEvent[] {
  const oldest = events.slice(0, -kept);
  const foldsOf = (may: (kind: ObservedKind) => boolean) =>
    folds(
      readers,
      oldest.filter(({ kind }) => may(kind)),
    );
  const dispensable = foldsOf((kind) => foldable.has(kind));
  // Where there are that many of the others, they are counted, too.
  const folding = dispensable.length > 0 ? dispensable : foldsOf((kind) => kind !== 'ended');
  const gaps = new Map(folding.map((group) => [group.at(-1), gapOf(group)]));
  const isFolded = new Set(folding.flat());
  return events.flatMap((event) => gaps.get(event) ?? (isFolded.has(event) ? [] : [event]));
}

/** Events that become one, in order: a gap has none that an observer was told beside others that it was not. */
function folds(readers: readonly Reader[], events: readonly ObservedEvent[]): ObservedEvent[][] {
  const groups = new Map<number, ObservedEvent[]>();
  for (const event of events) {
    const told = readers.filter((reader) => event.seq <= reader.told).length;
    groups.set(told, [...(groups.get(told) ?? []), event]);
  }
  return [...groups.values()].filter(({ length }) => length > 1);
}

/** In the place of the last of them. */
function gapOf(events: readonly ObservedEvent[]): ObservedEvent[] {
  const last = events.at(-1);
  if (!last) return [];
  const counts: Record<string, number> = {};
  for (const event of events) {
    const parts = event.kind === 'gap' ? event.data.events : { [event.kind]: 1 };
    for (const [kind, count] of Object.entries(parts)) counts[kind] = (counts[kind] ?? 0) + count;
  }
  const { id, run, life, seq, at, position } = last;
  return [{ kind: 'gap', id, run, life, seq, at, position, data: { events: counts } }];
}

/**
 * A tracker of experiments as an observer: a program on the tracker's own client (`trackers/`) is told of a life of a run, epoch by epoch. While it is
 * trained, points come with the events. What they left out, the rows of `metrics.jsonl` in the store make up for; and once the run has ended these are what
 * counts: what is not among them is marked as rolled back.
 */
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { batchesFile, mostBatchBytes } from '../contracts/batch-rows.ts';
import { isBefore } from '../contracts/checkpoint.ts';
import type { ObservedEvent } from '../contracts/observed-events.ts';
import { type EpochResult, epochResultSchema } from '../contracts/protocol.ts';
import { type Cause, type Receipt, receiptSchema } from '../contracts/receipt.ts';
import { mostSystemBytes, systemFile } from '../contracts/system-metrics.ts';
import { experimentOf } from '../contracts/trackers.ts';
import { type ArtifactStore, readText, StoreError } from '../stores/artifact-store.ts';
import type { Delivery, ObservedRun, Observer } from './observer.ts';

type Ended = Extract<ObservedEvent, { kind: 'ended' }>;

/** As `trackers/tracker.py` reads it. */
export type TrackerQuestion =
  | { do: 'check'; experiment: string }
  | {
      do: 'tell';
      run: Record<string, unknown> & { key: string };
      events: readonly ObservedEvent[];
      /** The number of the last event that it has afterwards. */
      through: number;
      /** What counts: all epochs of the run. Null while it is trained, and where nobody knows. */
      rows: readonly EpochResult[] | null;
      /** Epochs that no event tells. */
      made_up: readonly EpochResult[];
      /** With the end: `batches.jsonl` and `system.jsonl` as they were published. */
      batches: string | null;
      system: string | null;
      ended: Record<string, unknown> | null;
    };

export interface TrackerSource {
  /** Throws where it did not take it. */
  ask(question: TrackerQuestion, signal: AbortSignal): Promise<void>;
}

/** Places whose claim was seen to be of a life. It stays that life's for good. */
export class SeenClaims {
  readonly #seen = new Set<string>();

  /** Throws OtherLife, and a StoreError where nobody can tell: the store is unavailable, and was not asked before. */
  async require(run: ObservedRun): Promise<void> {
    const claim = `${run.place} ${run.execution}`;
    try {
      await run.output();
    } catch (error) {
      if (error instanceof StoreError && run.execution !== null && this.#seen.has(claim)) return;
      throw error;
    }
    this.#seen.delete(claim);
    this.#seen.add(claim);
    for (const oldest of this.#seen) if (this.#seen.size > mostClaims) this.#seen.delete(oldest);
  }
}

/** Runs that a worker tells of at the same time are fewer. */
const mostClaims = 1000;

export const trackerKinds: readonly string[] = ['state', 'epoch', 'ended'];

export class Tracker implements Observer {
  readonly kinds = trackerKinds;

  constructor(
    readonly name: string,
    readonly source: TrackerSource,
    /** Null: the run's project. */
    readonly experiment: string | null,
    readonly claims = new SeenClaims(),
    /** Whose it is, in W&B. */
    readonly entity?: string | undefined,
  ) {}

  async tell(events: readonly ObservedEvent[], run: ObservedRun, { signal, onTold }: Delivery): Promise<void> {
    const [first, last] = [events[0], events.at(-1)];
    if (!first || !last) return;
    // A life that began with a reset has to have a place of its own before it tells anything: at that of the life before it would tell of another run.
    await this.claims.require(run);
    const ended = events.findLast((event): event is Ended => event.kind === 'ended');
    const left = ended || events.some(({ kind }) => kind === 'gap') ? await leftOf(run) : nothingLeft;
    const isWhole = !ended || left.failure === null;
    // The outcome is told at once, and once more with the rest when the store is there.
    const through = isWhole ? last.seq : Math.max(0, (ended?.seq ?? 1) - 1);
    const gap = events.findLast(({ kind }) => kind === 'gap');
    await this.source.ask(
      {
        do: 'tell',
        run: this.#about(run, first),
        events,
        through,
        // Without a receipt there, all of its epochs may be on a host alone.
        rows: ended && left.hasReceipt ? (left.rows ?? []) : null,
        made_up: gap && left.rows ? left.rows.filter(({ epoch }) => epoch <= gap.position.epoch) : [],
        batches: ended ? left.batches : null,
        system: ended ? left.system : null,
        ended: ended ? endOf(ended, left) : null,
      },
      signal,
    );
    if (!isWhole) throw left.failure;
    onTold(last.seq);
  }

  #about({ run, place, project, trainer, config }: ObservedRun, { life, at }: ObservedEvent) {
    const { epochs, seed, data, parameters } = config;
    const said = { epochs, seed, ...(data === undefined ? {} : { data }), ...parameters };
    return {
      key: createHash('sha256')
        .update(JSON.stringify([place, life]))
        .digest('hex'),
      ...{ run, place, project, trainer, at: Date.parse(at) },
      experiment: experimentOf(this, project),
      parameters: Object.fromEntries(
        Object.entries(said).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
      ),
    };
  }
}

interface Left {
  rows: EpochResult[] | null;
  /** Of batches and of the host; null before the end. */
  batches: string | null;
  system: string | null;
  hasReceipt: boolean;
  receipt: z.infer<typeof factsSchema> | null;
  failure: StoreError | null;
}

const nothingLeft: Left = {
  ...{ rows: null, batches: null, system: null, hasReceipt: false, receipt: null, failure: null },
};

const factsSchema = receiptSchema
  .pick({ notes: true, data: true, checkpoints: true, files: true })
  .partial({ checkpoints: true, files: true });

/** What the run has in its store by now. */
async function leftOf(run: ObservedRun): Promise<Left> {
  try {
    const { store, folder } = await run.output();
    // Which is published last: what is read after it is all of it.
    const receipt = await readText(store, `${folder}/receipt.json`);
    const metrics = await readText(store, `${folder}/metrics.jsonl`);
    const rows =
      metrics === null ? null : linesOf(metrics).flatMap((line) => epochResultSchema.safeParse(line).data ?? []);
    // Before it, these may be what a host left that handed the run over: batches that were trained again are among them.
    const measured = (file: string, most: number) =>
      receipt === null ? null : boundedText(store, `${folder}/${file}`, most);
    return {
      rows,
      batches: await measured(batchesFile, mostBatchBytes),
      system: await measured(systemFile, mostSystemBytes),
      hasReceipt: receipt !== null,
      receipt: receipt === null ? null : (factsSchema.safeParse(json(receipt)).data ?? null),
      failure: null,
    };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return { ...nothingLeft, failure: error };
  }
}

/** Null where there is none, or more than is ever written there: a trainer may have done that. */
async function boundedText(store: ArtifactStore, path: string, most: number): Promise<string | null> {
  const part = await store.readPart(path, 0, 1);
  // Of a part nobody proves that it is what is stored.
  return part === null || part.size > most ? null : readText(store, path);
}

const linesOf = (text: string): unknown[] => text.split('\n').filter(Boolean).map(json);

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function endOf({ at, data: { outcome, cause, outputFolder } }: Ended, { receipt }: Left): Record<string, unknown> {
  const address = (path: string) => `${outputFolder}/${path}`;
  const images = outputFolder === null ? [] : (receipt?.files ?? []).filter(({ path }) => shownImage.test(path));
  const more = images.length - mostImages;
  const notes = [
    `**${outcome}**: ${causeText(cause)}`,
    ...(outputFolder === null ? [] : [`Results: \`${outputFolder}\``]),
    ...(receipt?.notes ?? []).map((note) => `- ${note}`),
    ...images.slice(0, mostImages).map(({ path }) => `- Image: \`${address(path)}\``),
    ...(more > 0 ? [`- and ${more} more images`] : []),
  ];
  const checkpoints = outputFolder === null ? [] : (receipt?.checkpoints ?? []);
  const best = newestOf(checkpoints.filter(({ reasons }) => reasons.includes('best')));
  const last = newestOf(checkpoints);
  return {
    ...{ outcome, at, cause: causeText(cause), notes: notes.join('\n\n'), data: receipt?.data ?? null },
    links: {
      ...(best && { best_checkpoint: address(`checkpoints/${best.name}`) }),
      ...(last && { last_checkpoint: address(`checkpoints/${last.name}`) }),
    },
  };
}

/** Plots and examples that the trainer has left; those of its pages are many, and shown there. */
const shownImage = /^artifacts\/.*\.(png|jpe?g|webp|gif|svg)$/i;
/** In notes, which have room for so much text. */
const mostImages = 20;

type StoredCheckpoint = Receipt['checkpoints'][number];
const newestOf = (checkpoints: readonly StoredCheckpoint[]): StoredCheckpoint | undefined =>
  checkpoints.reduce<StoredCheckpoint | undefined>(
    (newest, one) => (newest && isBefore(one, newest) ? newest : one),
    undefined,
  );

function causeText(cause: Cause): string {
  if (cause.kind === 'finished') return cause.early ? `the trainer ended early: ${cause.early.reason}` : 'finished';
  if (cause.kind === 'stop') return `stopped (${cause.mode})`;
  return cause.kind === 'failure' ? `${cause.failure.kind}: ${cause.failure.message}`.slice(0, 1000) : 'unknown';
}

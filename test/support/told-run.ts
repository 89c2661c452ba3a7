/** Runs as a tracker's test tells of them: epochs, events of a life, and what is in the store at its end. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { ObservedEvent } from '../../contracts/observed-events.ts';
import type { EpochResult } from '../../contracts/protocol.ts';
import type { ObservedRun } from '../../observers/observer.ts';
import type { Tracker } from '../../observers/tracker.ts';
import { openStore } from '../../stores/open-store.ts';

const minute = (at: number) => new Date(Date.UTC(2026, 0, 1, 0, at)).toISOString();
/** An epoch that was complete at a minute. */
export const row = (epoch: number, at: number) => ({
  ...{ epoch, batches: 10, seconds: 5, at: minute(at) },
  metrics: { val_loss: 1 / at, 'mAP@50': at / 100 },
});

/** Events of one life, numbered. */
export function life(run: string, place = run) {
  let seq = 0;
  const common = (epoch: number) => {
    seq += 1;
    const at = minute(100 + seq);
    return { id: `first/${seq}`, run, life: 'first', seq, at, position: { epoch, batch: 0 } };
  };
  return {
    skip: (events: number) => {
      seq += events;
    },
    state: (): ObservedEvent => ({
      kind: 'state',
      ...common(0),
      data: { state: 'training', detail: 'training.epoch' },
    }),
    epoch: (told: EpochResult): ObservedEvent => ({ kind: 'epoch', ...common(told.epoch), data: told }),
    gap: (epoch: number): ObservedEvent => ({ kind: 'gap', ...common(epoch), data: { events: { epoch: 2 } } }),
    ended: (epoch: number, outcome: 'completed' | 'stopped' | 'salvaged'): ObservedEvent => ({
      kind: 'ended',
      ...common(epoch),
      data: { outcome, cause: { kind: 'finished' }, place, outputFolder: `/store/${place}`, metrics: {} },
    }),
  };
}

/** Answers the last event that it was told. */
export async function tell(tracker: Tracker, events: readonly ObservedEvent[], run: ObservedRun): Promise<number> {
  let told = 0;
  const delivery = { signal: new AbortController().signal, onTold: (seq: number) => (told = seq), onRefused: () => {} };
  await tracker.tell(events, run, delivery);
  return told;
}

/** Of two epochs with ten batches. */
const batchRows = [
  { epoch: 1, batch: 1, batches: 10, at: minute(1), metrics: { 'loss@b': 0.5 } },
  { epoch: 2, batch: 3, batches: 10, at: minute(2), metrics: { 'loss@b': 0.25 } },
];
/** As a tracker has them, and what was measured of the host. */
export const toldBatches = batchRows.map(({ at, metrics }, index) => ({
  ...{ step: index === 0 ? 1 : 13, at: Date.parse(at), value: metrics['loss@b'] },
}));
export const toldHost = { step: 0, at: Date.parse(minute(3)), cores: 1.5 };

export async function storeWith(
  folder: string,
  place: string,
  rows: ReturnType<typeof row>[],
  split: string | null = null,
) {
  const store = openStore(join(folder, randomUUID()));
  await store.prepare(false);
  const at = `experiments/p/${place}`;
  const lines = (some: readonly unknown[]) => some.map((one) => `${JSON.stringify(one)}\n`).join('');
  await store.write(`${at}/metrics.jsonl`, lines(rows));
  await store.write(`${at}/batches.jsonl`, lines(batchRows));
  await store.write(`${at}/system.jsonl`, lines([{ at: minute(3), seconds: 5, cpu: 1.5, gpus: [] }]));
  const none = { kind: 'objects', images: 4, objects: 0, classCount: 1, splitBy: null, splits: [], findings: [] };
  const data = split && { ...none, splitSha256: split, duplicates: null, decoded: null };
  const files = [{ path: 'artifacts/confusion.png', size: 1, sha256: '' }];
  await store.write(`${at}/receipt.json`, JSON.stringify({ notes: ['the batch was halved'], data, files }));
  return { store, folder: at };
}

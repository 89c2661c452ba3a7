/** Live progress from protocol events, whatever their order may be. */
import { expect, it } from 'vitest';
import type { TrainerEvent } from '../../contracts/protocol.ts';
import { ProgressMeter } from '../../worker/progress-meter.ts';

const at = '2026-01-01T00:00:00.000Z';
const batch = (epoch: number, done: number): TrainerEvent => ({
  type: 'batch',
  phase: 'train',
  epoch,
  batch: done,
  batches: 10,
  metrics: { loss: epoch + done / 100 },
});
const ended = (epoch: number): TrainerEvent => ({
  type: 'epoch',
  epoch,
  batches: 10,
  seconds: 1,
  metrics: { loss: -epoch },
  at,
});

function after(...events: TrainerEvent[]) {
  const meter = new ProgressMeter(1, 3);
  for (const event of events) meter.note(event);
  return meter.current;
}

const phase = (name: 'train' | 'validate' | 'save', epoch: number): TrainerEvent => ({
  type: 'phase',
  phase: name,
  epoch,
});

it('shows the metrics of an epoch at its end', () => {
  expect(after(phase('train', 1), batch(1, 10), phase('save', 1), ended(1))).toMatchObject({
    phase: 'save',
    epoch: 1,
    batch: 10,
    metrics: { loss: -1 },
  });
});

it('goes on with the next epoch when the end of the one before is told late', () => {
  const events = [phase('train', 1), batch(1, 10), phase('save', 1), phase('train', 2), batch(2, 3), ended(1)];
  expect(after(...events)).toMatchObject({ phase: 'train', epoch: 2, batch: 3, metrics: { loss: 2.03 } });
});

it('goes on counting where a save interrupted an epoch', () => {
  expect(after(phase('train', 1), batch(1, 4), phase('save', 1), phase('train', 1))).toMatchObject({
    phase: 'train',
    batch: 4,
    batches: 10,
  });
});

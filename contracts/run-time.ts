/** Where the time of a run went, by cause: goodput is the share of it that trained what counts. */
import { z } from 'zod';
import { extensible } from './tolerance.ts';

const seconds = z.number().min(0);

export const runTimeSchema = extensible({
  /** Waiting for a slot, however often. */
  queue: seconds,
  /** From a slot to a trainer that is ready: its environment, its data, its model. */
  setUp: seconds,
  /** Training batches that are part of the result; with what follows where that is not known. */
  training: seconds,
  /** Of complete epochs that are part of the result; null where a trainer did not tell. */
  validation: seconds.nullable(),
  /** For how long saving held up the training; null where a trainer did not tell. */
  saving: seconds.nullable(),
  /** Until a lost host was given up, back-off after failures, and the set-up of the sessions that followed. */
  restarts: seconds,
  /** Training batches again, or for nothing: as much of the training as there were such batches, and of the validation as there were such epochs. */
  repeated: seconds,
  paused: seconds,
  /** What the trainer does after its last epoch, stopping, publishing, cleaning up. */
  wrapUp: seconds,
});
export type RunTime = z.infer<typeof runTimeSchema>;

/** In the order in which they are shown. */
export const timeCauses = [
  ...(['training', 'validation', 'saving', 'setUp', 'queue', 'restarts', 'repeated', 'paused', 'wrapUp'] as const),
];
export type TimeCause = (typeof timeCauses)[number];

export const timeTitles: Readonly<Record<TimeCause, string>> = {
  training: 'Training',
  validation: 'Validation',
  saving: 'Saving',
  setUp: 'Set-up',
  queue: 'Queue',
  restarts: 'Restarts',
  repeated: 'Repeated or lost batches',
  paused: 'Paused',
  wrapUp: 'Wrap-up',
};

/** Seconds with a slot. Who waits or is paused takes none from anybody. */
export const secondsWithSlot = (time: Pick<RunTime, TimeCause>): number =>
  timeCauses.reduce((sum, cause) => (cause === 'queue' || cause === 'paused' ? sum : sum + (time[cause] ?? 0)), 0);

/** The share of the time with a slot that trained and validated what counts; null where there was none. */
export function goodputOf(time: Pick<RunTime, TimeCause>): number | null {
  const all = secondsWithSlot(time);
  return all > 0 ? (time.training + (time.validation ?? 0)) / all : null;
}

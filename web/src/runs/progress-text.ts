/** What a run does now, in a few words and as a part of one. Pure. */

import type { LiveProgress } from '../../../contracts/http-answers.ts';
import { sizeText } from '../../../contracts/size-text.ts';
import { counted, formatCount } from '../formatting.ts';

export type TrainingProgress = Extract<LiveProgress, { kind: 'training' }>;
export type Work = Extract<LiveProgress, { kind: 'work' }>;
export type Waiting = Extract<LiveProgress, { kind: 'waiting' }>;

export const trainingOf = (progress: readonly LiveProgress[]): TrainingProgress | null =>
  progress.find((one) => one.kind === 'training') ?? null;

export const workOf = (progress: readonly LiveProgress[]): Work[] => progress.filter((one) => one.kind === 'work');

export const waitingOf = (progress: readonly LiveProgress[]): Waiting | null =>
  progress.find((one) => one.kind === 'waiting') ?? null;

export const waitingText = ({ pool, ahead }: Waiting): string =>
  ahead === 0 ? `next in pool ${pool}` : `${counted(ahead, 'run')} ahead in pool ${pool}`;

/** Part of all epochs that is trained, 0 to 1. Validation is counted as the end of its epoch. */
export function partTrained({ phase, epoch, epochs, batch, batches }: TrainingProgress): number {
  const ofEpoch = phase === 'train' ? (batches ? Math.min(1, batch / batches) : 0) : phase === 'setUp' ? 0 : 1;
  return Math.min(1, Math.max(0, (epoch - 1 + ofEpoch) / epochs));
}

export function partDone({ bytes, totalBytes, counted: of }: Work): number | null {
  if (of) return Math.min(1, of.done / of.total);
  return bytes !== undefined && totalBytes ? Math.min(1, bytes / totalBytes) : null;
}

export function workText({ doing, bytes, totalBytes, counted: of }: Work): string {
  if (of) return `${doing}: ${formatCount(of.done)} of ${formatCount(of.total)}`;
  if (bytes === undefined) return doing;
  return `${doing}: ${sizeText(bytes)}${totalBytes ? ` of ${sizeText(totalBytes)}` : ''}`;
}

export const phaseNames = {
  setUp: 'setting up',
  train: 'training',
  validate: 'validating',
  save: 'saving a checkpoint',
  finish: 'finishing',
  other: 'working',
} as const;

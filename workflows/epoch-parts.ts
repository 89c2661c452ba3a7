/** What complete epochs took beside training, as their trainers tell. Pure. */
import type { EpochResult } from '../contracts/protocol.ts';

/** Of complete epochs, those that were trained again too. */
export interface EpochParts {
  validation: number;
  saving: number;
  /** How many these are. */
  epochs?: number;
  /** Of these, those that a later session began before. */
  lost?: number;
}

/** Null once one of them did not tell; undefined where an older version carried the run on. */
export function withEpochParts(
  before: EpochParts | null | undefined,
  epochs: readonly EpochResult[],
): EpochParts | null | undefined {
  if (!before) return before;
  let { validation, saving } = before;
  for (const { validationSeconds, savingSeconds } of epochs) {
    if (validationSeconds === undefined || savingSeconds === undefined) return null;
    validation += validationSeconds;
    saving += savingSeconds;
  }
  return { ...before, validation, saving, epochs: (before.epochs ?? 0) + epochs.length };
}

/** A session goes back: what it took to validate those epochs was for nothing. */
export const withLostEpochs = (parts: EpochParts | null | undefined, epochs: number): EpochParts | null | undefined =>
  parts && epochs > 0 ? { ...parts, lost: (parts.lost ?? 0) + epochs } : parts;

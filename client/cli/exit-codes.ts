/** Exit codes of `epochal`, for scripts. */
import type { Outcome } from '../../contracts/receipt.ts';
import {
  ConfigError,
  FileNotFoundError,
  NoReceiptError,
  RunInUseError,
  RunNotFoundError,
  WrongStateError,
} from '../errors.ts';

export const exitCodes = {
  ok: 0,
  error: 1,
  badInput: 2,
  runFailed: 3,
  runStopped: 4,
  runLost: 5,
  interrupted: 130,
} as const;

export const exitCodeText =
  'Exit codes: 0 done, or the run completed; 1 error; 2 bad input; 3 the run failed; 4 it was stopped; 5 it was ended by force; 130 interrupted.';

const byOutcome: Readonly<Record<Outcome, number>> = {
  completed: exitCodes.ok,
  failed: exitCodes.runFailed,
  stopped: exitCodes.runStopped,
  salvaged: exitCodes.runLost,
  lost: exitCodes.runLost,
};

export const exitCodeOfOutcome = (outcome: Outcome): number => byOutcome[outcome];

export function exitCodeOfError(error: unknown): number {
  if (error instanceof NoReceiptError) return error.reason === 'lost' ? exitCodes.runLost : exitCodes.runStopped;
  const isInput = [ConfigError, FileNotFoundError, RunInUseError, RunNotFoundError, WrongStateError].some(
    (type) => error instanceof type,
  );
  return isInput ? exitCodes.badInput : exitCodes.error;
}

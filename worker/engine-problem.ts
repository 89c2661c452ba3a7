/** What an engine of containers did not do, and waiting for one that cannot be reached. */
import { type Waiting, whenItAnswers } from './when-it-answers.ts';

/** The engine did not do what it was asked; the message says what it said. */
export class EngineProblem extends Error {
  override readonly name = 'EngineProblem';
  constructor(
    message: string,
    /** It cannot be reached now: it may do it later. */
    readonly isAway: boolean,
    /** This host has none, or none that its worker may use: another host may. */
    readonly isMissing = false,
  ) {
    super(message);
  }
}

/** Of Docker and Podman, where nobody answers, or the one who does goes; a container of an attempt that was given up is removed before the next. */
export const unreachable =
  /cannot connect to|unable to connect|is the docker daemon running|error during connect|failed to connect|connection refused|connection reset|i\/o timeout|deadline exceeded|shutting down|is already in use by/i;

/** Of who may not call it. */
export const forbidden = /permission denied while trying to connect|EACCES/i;

/** Tries again for as long as the engine cannot be reached: as with a store, that is no failure of a training. Throws the signal's reason. */
export const whenEngineAnswers = <T>(waiting: Waiting, work: () => Promise<T>): Promise<T> =>
  whenItAnswers(waiting, work, 'the container engine', (error) => error instanceof EngineProblem && error.isAway);

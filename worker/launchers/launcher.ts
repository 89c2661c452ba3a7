/** Where trainers run: how one is started, signalled, and seen to have ended. One file beside this is one way. */
import type { Command, TrainerEvent } from '../../contracts/protocol.ts';
import type { EndLimits } from '../end-trainer.ts';
import type { ProcessIdentity } from '../process-groups.ts';
import type { RunFolder } from '../run-folders.ts';
import type { TrainerProgram } from '../trainer-catalog.ts';

export interface TrainerExit {
  code: number | null;
  signal: string | null;
}

/** What a trainer is started with. */
export interface Launch {
  program: TrainerProgram;
  python: string;
  folder: RunFolder;
  session: string;
  /** Of whoever ends the trainer when this worker is lost. */
  limits: EndLimits;
  /** Besides that of every trainer: which devices it sees, for one. */
  environment: NodeJS.ProcessEnv;
}

export interface TrainerListener {
  onEvent: (event: TrainerEvent) => void;
  /** A line that is not in the protocol, with a sentence that holds it. */
  onGarbage: (sentence: string) => void;
}

export interface Launcher {
  /** Throws when the program cannot be started at all. */
  start(launch: Launch, listener: TrainerListener): Promise<LaunchedTrainer>;
}

/** `trainer`: it alone, which ends its own children in its own way; `group`: every process that it started and that stayed with it. */
export type Recipient = 'trainer' | 'group';

export interface LaunchedTrainer {
  /** The trainer's own process, which leads the group. */
  readonly identity: ProcessIdentity;
  /** Resolves when the trainer itself has ended; others of its group may still be alive. */
  readonly exited: Promise<TrainerExit>;
  /** Resolves when the last event was read: after the end of everyone who could write one. */
  readonly drained: Promise<void>;
  send(command: Command): void;
  /** Nobody may be there any more: that is no error. */
  signal(signal: NodeJS.Signals, to: Recipient): void;
  /** Whether anyone of its group is. */
  alive(): Promise<boolean>;
  /** Its end was seen, and nothing of it is left: whoever watches over it may go. */
  dismiss(): void;
}
